// The reject controller: which part is where, what was decided, and when the ejector must act.
//
// Pure logic: no heap, no operating system, no clock. Every call is given the time (µs since the controller started,
// never going back); outputs and bytes leave through plain functions. Calls must not overlap (one loop, or interrupts
// masked around each). The rule above all rules: a part is rejected unless it was passed in time, whatever happens.
#pragma once

#include "belt.hpp"
#include "wire.hpp"

namespace lineward {

constexpr std::uint64_t kNever = UINT64_MAX;
constexpr std::int64_t kNowhere = INT64_MAX;

enum class Output : std::uint8_t { eject = 0, run = 1 };

// What the board gives to the core. `set` takes the logical state: whether the pin is high is `level`.
struct Pins {
    void (*set)(void* context, Output output, bool active, bool level, std::uint64_t now_us) = nullptr;
    void* context = nullptr;
};

struct Board {
    std::uint32_t boot_id = 0;           // differs from start to start
    std::uint32_t clock_hz = 1000000;    // what the time stamps come from
    std::uint16_t flags = 0;             // polarities and positive release (ConfigFlag), until the first CONFIG
    bool knows_wiring = false;           // `flags` are remembered from a CONFIG before this start
    bool watchdog_reset = false;         // this start was caused by the watchdog
};

struct Counters {
    std::uint32_t triggers, released, rejected, by_default, merged, removed, not_seen, strangers, refused_verdicts,
        overflows, bounces, dropped_frames;
};

class Controller {
public:
    static constexpr unsigned kParts = 128;      // in flight at once; a power of two
    static constexpr unsigned kStrangers = 16;
    static constexpr std::size_t kTxBytes = 8192;

    Controller(const Board& board, const Pins& pins, std::uint64_t now_us);

    // Bytes of the serial line.
    void receive(std::uint64_t now_us, std::uint8_t byte);
    std::size_t transmit(std::uint8_t* out, std::size_t room);

    // Inputs, each at the moment when it happened.
    void trigger(std::uint64_t now_us);
    void encoder(std::uint64_t now_us, std::int64_t count);
    void presence(std::uint64_t now_us);
    void ejected(std::uint64_t now_us);
    void bin(std::uint64_t now_us, bool full);

    // Do everything that is due; call at 1 kHz at least, or at `next_wake_us` and after each input.
    void step(std::uint64_t now_us);
    std::uint64_t next_wake_us() const;
    // At which encoder count `step` has something to do; kNowhere where the encoder does not matter.
    std::int64_t next_count() const;

    State state() const { return state_; }
    const Config& config() const { return config_; }
    unsigned in_flight() const { return in_flight_; }
    const Counters& counters() const { return counters_; }

private:
    enum class Stage : std::uint8_t { free, coming, passing, confirming, done };
    enum class Word : std::uint8_t { none, pass, reject };

    struct Part {
        std::uint64_t trigger_us = 0, pulse_us = 0;
        std::int64_t trigger_count = 0, pulse_count = 0, due = 0;
        std::uint16_t tag = 0, epoch = 0;
        Stage stage = Stage::free;
        Word word = Word::none;
        Outcome outcome = Outcome::none;
        std::uint8_t flags = 0;
        bool closed = false, seen = false;
    };
    struct Stranger {
        std::int64_t due = 0;
        bool waiting = false;
    };

    bool has(std::uint16_t flag) const { return (config_.flags & flag) != 0; }
    bool passes(const Part& part) const { return part.word == Word::pass; }
    std::int64_t place(std::uint64_t at_us) const;
    std::int64_t reach(std::uint64_t now_us) const;
    Part& slot(unsigned back) { return parts_[(next_tag_ + back) % kParts]; }
    const Part& slot(unsigned back) const { return parts_[(next_tag_ + back) % kParts]; }
    Part* find(std::uint16_t tag);
    std::uint16_t oldest_tag() const;

    // the way of a part
    void move_on(Part& part, std::uint64_t now_us, std::int64_t reach);
    void arrive(Part& part, std::uint64_t now_us, std::int64_t reach);
    void pass_by(Part& part, std::uint64_t now_us, std::int64_t reach);
    void finish(Part& part, Outcome outcome);
    void meet_strangers(std::uint64_t now_us, std::int64_t reach);
    bool reject_near(std::int64_t due) const;

    // the outputs
    bool holding(std::int64_t reach) const;
    bool holds_only() const;
    void hold_until(std::int64_t place);
    void start_pulse(std::uint64_t now_us, std::int64_t from, std::int64_t due);
    void watch_pulse(std::uint64_t now_us, std::int64_t reach);
    void drive(std::uint64_t now_us, std::int64_t reach);
    void set_run(std::uint64_t now_us);
    void put(Output output, bool active, std::uint64_t now_us);

    // the states
    void become_safe(std::uint64_t now_us, Fault fault, std::uint32_t value);
    void close_all(bool revoke);

    // what the host says
    void handle(const Frame& frame, std::uint64_t now_us);
    Status configure(const Frame& frame, std::uint64_t now_us, std::uint16_t& detail);
    Status arm(const Frame& frame, std::uint64_t now_us);
    Status judge(const Frame& frame);
    Status recall(const Frame& frame);

    // what the host is told
    void send(Frame& frame);
    void send_info(std::uint64_t now_us);
    void send_trigger(const Part& part, bool repeated);
    void send_result(const Part& part, bool repeated);
    void send_status(std::uint64_t now_us);
    void send_fault(Fault fault, std::uint64_t now_us, std::uint32_t value);
    void send_encoder(std::uint64_t now_us);
    void report_periodically(std::uint64_t now_us);

    Board board_;
    Pins pins_;
    Config config_;
    std::uint8_t config_bytes_[kConfigBytes] = {};
    State state_ = State::unconfigured;
    Belt belt_;
    Part parts_[kParts];
    Stranger strangers_[kStrangers];
    Counters counters_ = {};
    std::uint64_t started_us_, heard_us_ = 0, status_us_, encoder_us_;
    std::uint64_t last_edge_us_[3] = {kNever, kNever, kNever};  // trigger, presence, ejected
    std::int64_t last_trigger_count_ = kNowhere;
    std::uint16_t next_tag_, epoch_, stranger_number_ = 0;
    unsigned in_flight_ = 0, waiting_strangers_ = 0;
    bool greeted_ = false, bin_full_ = false, encoder_fault_ = false;

    bool pulse_ = false, eject_ = false, run_ = false;
    std::uint64_t pulse_off_us_ = kNever, pulse_limit_us_ = kNever;
    std::int64_t pulse_off_count_ = kNowhere, pulse_due_ = 0;
    bool pulse_in_reach_ = false;
    std::int64_t hold_place_ = INT64_MIN, active_place_ = INT64_MIN, rejected_due_ = INT64_MIN;

    FrameReader reader_;
    std::uint8_t sequence_ = 0;
    std::uint8_t tx_[kTxBytes] = {};
    std::size_t tx_head_ = 0, tx_size_ = 0;

    bool debounced(unsigned input, std::uint64_t now_us);
};

}  // namespace lineward
