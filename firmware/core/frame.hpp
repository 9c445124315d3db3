// One frame of the serial line: COBS between zeros, CRC-16 inside.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lineward {

constexpr std::size_t kMaxPayload = 96;
constexpr std::size_t kMaxBody = kMaxPayload + 4;   // type, sequence, payload, CRC
constexpr std::size_t kMaxFrame = kMaxBody + 2;     // one COBS byte (the body is shorter than 254), the ending zero
constexpr std::size_t kMinBody = 4;

// CRC-16/IBM-3740 ("CCITT-FALSE"): polynomial 0x1021, initial value 0xFFFF, not reflected, no final XOR.
std::uint16_t crc16(const std::uint8_t* data, std::size_t size);

struct Frame {
    std::uint8_t type = 0;
    std::uint8_t sequence = 0;
    std::size_t size = 0;
    std::uint8_t payload[kMaxPayload] = {};
};

// Write the frame as it goes over the line, its ending zero included; return its length. `out` holds kMaxFrame bytes.
std::size_t encode_frame(const Frame& frame, std::uint8_t* out);

// Finds whole frames in a stream of bytes that may be cut, damaged or begin anywhere.
class FrameReader {
public:
    // Take one byte; return true when it completed a valid frame, which `frame` then holds.
    bool feed(std::uint8_t byte);
    const Frame& frame() const { return frame_; }
    // How many stretches between two zeros were no valid frame.
    std::uint32_t bad_frames() const { return bad_frames_; }
    void reset();

private:
    bool decode();

    std::uint8_t pending_[kMaxFrame] = {};
    std::size_t size_ = 0;
    bool too_long_ = false;
    std::uint32_t bad_frames_ = 0;
    Frame frame_;
};

}  // namespace lineward
