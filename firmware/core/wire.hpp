// The words of the protocol: message types, codes, and how numbers lie in a payload (docs/controller-protocol.md).
#pragma once

#include "frame.hpp"

namespace lineward {

constexpr std::uint8_t kProtocolVersion = 1;
constexpr std::uint16_t kFirmwareVersion = 100;
constexpr std::uint8_t kPass = 0x5A;  // eight bits apart from each other
constexpr std::uint8_t kReject = 0xA5;

enum class Type : std::uint8_t {
    hello = 0x01, config = 0x02, arm = 0x03, disarm = 0x04, heartbeat = 0x05, verdict = 0x06, recall = 0x07, ask = 0x08,
    info = 0x81, ack = 0x82, trigger = 0x83, result = 0x84, stranger = 0x85, encoder = 0x86, bin_full = 0x87,
    fault = 0x88, status = 0x89,
};

enum class Status : std::uint8_t {
    ok = 0, unknown_type = 1, bad_length = 2, bad_value = 3, not_now = 4, wrong_boot = 5, wrong_version = 6,
    late = 16, unknown_tag = 17, stale_epoch = 18, not_armed = 19, rejected_already = 20, finished = 21,
};

enum class Outcome : std::uint8_t { none = 0, released = 1, fired = 2, by_default = 3, removed = 4, not_seen = 5, merged = 6 };

enum ResultFlag : std::uint8_t {
    kShared = 1, kLate = 2, kDefaulted = 4, kHeld = 8, kRepeated = 16, kPulse = 32, kRevoked = 64, kConfirmed = 128,
};

enum class Fault : std::uint8_t {
    heartbeat_lost = 1, fifo_overflow = 2, encoder_stands = 3, pulse_late = 4, unexpected_ejection = 5, gate_cut = 6,
};

enum class State : std::uint8_t { unconfigured = 0, disarmed = 1, armed = 2, safe = 3 };

enum StatusFlag : std::uint8_t { kHolding = 1, kBinIsFull = 2, kEncoderFault = 4, kEjecting = 8, kWatchdogReset = 16 };

enum ConfigFlag : std::uint16_t {
    kDelayCounts = 1, kWidthCounts = 2, kPositiveRelease = 4, kEjectActiveLow = 8, kRunActiveLow = 16,
    kPresenceSensor = 32, kConfirmSensor = 64, kBinSensor = 128, kAllConfigFlags = 255,
};

// All lengths called "position" are µs, or encoder counts where kDelayCounts is set.
struct Config {
    std::uint16_t flags = 0;
    std::uint32_t delay = 0;             // position: trigger to ejector
    std::uint32_t deadline = 0;          // position: a verdict counts until this much before the output must switch
    std::uint32_t width = 0;             // pulse: µs, or counts where kWidthCounts is set
    std::uint32_t window = 0;            // position: half of the place in which a pulse belongs to its part
    std::uint32_t lead_us = 0;           // from the switched output to the part being hit
    std::uint16_t heartbeat_timeout_ms = 0;
    std::uint16_t debounce_us = 0;
    std::uint32_t presence_at = 0;       // position: trigger to presence sensor
    std::uint32_t presence_window = 0;   // position: half of it
    std::uint32_t confirm_us = 0;        // from the pulse until the part must have been seen behind the ejector
    std::uint16_t release_limit_ms = 0;  // positive release: the gate is never open longer
    std::uint16_t encoder_period_ms = 0; // 0: no ENCODER messages
    std::uint16_t status_period_ms = 0;
};
constexpr std::size_t kConfigBytes = 44;

// Writes little-endian numbers into a frame's payload.
class PayloadWriter {
public:
    explicit PayloadWriter(Frame& frame) : frame_(frame) { frame_.size = 0; }
    PayloadWriter& u8(std::uint8_t value) { return put(value, 1); }
    PayloadWriter& u16(std::uint16_t value) { return put(value, 2); }
    PayloadWriter& u32(std::uint32_t value) { return put(value, 4); }
    PayloadWriter& u64(std::uint64_t value) { return put(value, 8); }
    PayloadWriter& i64(std::int64_t value) { return put(static_cast<std::uint64_t>(value), 8); }

private:
    PayloadWriter& put(std::uint64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) frame_.payload[frame_.size++] = static_cast<std::uint8_t>(value >> (8 * i));
        return *this;
    }
    Frame& frame_;
};

// Reads little-endian numbers out of a payload whose length was checked.
class PayloadReader {
public:
    explicit PayloadReader(const Frame& frame) : at_(frame.payload) {}
    std::uint8_t u8() { return static_cast<std::uint8_t>(take(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(take(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(take(4)); }

private:
    std::uint64_t take(int bytes) {
        std::uint64_t value = 0;
        for (int i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(*at_++) << (8 * i);
        return value;
    }
    const std::uint8_t* at_;
};

inline Config read_config(const Frame& frame) {
    PayloadReader in(frame);
    Config c;
    c.flags = in.u16();
    c.delay = in.u32();
    c.deadline = in.u32();
    c.width = in.u32();
    c.window = in.u32();
    c.lead_us = in.u32();
    c.heartbeat_timeout_ms = in.u16();
    c.debounce_us = in.u16();
    c.presence_at = in.u32();
    c.presence_window = in.u32();
    c.confirm_us = in.u32();
    c.release_limit_ms = in.u16();
    c.encoder_period_ms = in.u16();
    c.status_period_ms = in.u16();
    return c;
}

// Return 0 when the controller can keep its promises with this configuration, else the number of the field that is
// wrong, counted from 1 in the order of the payload.
inline std::uint16_t wrong_field(const Config& c) {
    constexpr std::uint32_t longest = 1000000000;
    const std::uint64_t lead = (c.flags & kDelayCounts) ? 0 : c.lead_us;
    if (c.flags & ~kAllConfigFlags) return 1;
    if (c.delay == 0 || c.delay > longest) return 2;
    if (c.deadline + lead + c.window >= c.delay || c.deadline > longest) return 3;
    if ((c.flags & kPositiveRelease) && c.deadline < c.window) return 3;
    if (c.width == 0 || c.width > longest) return 4;
    if (c.window == 0 || c.window > longest) return 5;
    if (c.lead_us > 1000000) return 6;
    if (c.heartbeat_timeout_ms < 20 || c.heartbeat_timeout_ms > 10000) return 7;
    if (c.debounce_us > 20000) return 8;
    if (c.flags & kPresenceSensor) {
        if (c.presence_window == 0 || c.presence_window > longest) return 10;
        if (c.presence_at > longest || std::uint64_t{c.presence_at} + c.presence_window + lead + c.window > c.delay) return 9;
    }
    if ((c.flags & kConfirmSensor) && (c.confirm_us == 0 || c.confirm_us > 60000000)) return 11;
    if ((c.flags & kPositiveRelease) && (c.flags & kWidthCounts) && c.release_limit_ms == 0) return 12;
    if (c.encoder_period_ms > 10000) return 13;
    if (c.status_period_ms < 20 || c.status_period_ms > 10000) return 14;
    return 0;
}

}  // namespace lineward
