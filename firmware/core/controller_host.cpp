// What the host says to the controller, and what it is told.
#include "controller.hpp"

#include <cstring>

namespace lineward {

// -- what the host says -------------------------------------------------------------------------------------------

void Controller::receive(std::uint64_t now_us, std::uint8_t byte) {
    if (!reader_.feed(byte)) return;
    step(now_us);  // what is due is done before anything is believed
    handle(reader_.frame(), now_us);
    step(now_us);
}

void Controller::handle(const Frame& frame, std::uint64_t now_us) {
    Status status = Status::bad_length;
    std::uint16_t detail = 0;
    switch (static_cast<Type>(frame.type)) {
        case Type::hello:
            if (frame.size != 1) break;
            send_info(now_us);
            status = frame.payload[0] == kProtocolVersion ? Status::ok : Status::wrong_version;
            if (status == Status::ok) greeted_ = true;
            break;
        case Type::config:
            if (frame.size == kConfigBytes) status = configure(frame, now_us, detail);
            break;
        case Type::arm:
            if (frame.size != 4) break;
            status = arm(frame, now_us);
            detail = epoch_;
            break;
        case Type::disarm:
            if (frame.size != 0) break;
            status = Status::ok;
            if (state_ == State::armed || state_ == State::safe) {
                if (state_ == State::armed) close_all(false);
                state_ = State::disarmed;
            }
            set_run(now_us);
            break;
        case Type::heartbeat:
            if (frame.size == 0 && state_ == State::armed) heard_us_ = now_us;
            return;  // never answered: STATUS is the controller's own sign of life
        case Type::verdict:
            if (frame.size != 5) break;
            status = judge(frame);
            detail = PayloadReader(frame).u16();
            if (status != Status::ok) ++counters_.refused_verdicts;
            break;
        case Type::recall:
            if (frame.size != 2) break;
            status = recall(frame);
            detail = PayloadReader(frame).u16();
            break;
        case Type::ask:
            if (frame.size != 0) break;
            send_status(now_us);
            status = Status::ok;
            break;
        default:
            status = Status::unknown_type;
    }
    Frame answer;
    answer.type = static_cast<std::uint8_t>(Type::ack);
    PayloadWriter(answer).u8(frame.sequence).u8(frame.type).u8(static_cast<std::uint8_t>(status)).u16(detail);
    send(answer);
}

Status Controller::configure(const Frame& frame, std::uint64_t now_us, std::uint16_t& detail) {
    if (!greeted_) return Status::wrong_version;
    if (state_ != State::unconfigured && std::memcmp(frame.payload, config_bytes_, kConfigBytes) == 0) return Status::ok;
    if (state_ == State::armed) return Status::not_now;
    const Config told = read_config(frame);
    detail = wrong_field(told);
    if (detail != 0) return Status::bad_value;

    const bool first = state_ == State::unconfigured;
    const std::int64_t before = config_.delay;
    const bool same_unit = (told.flags & kDelayCounts) == (config_.flags & kDelayCounts);
    config_ = told;
    std::memcpy(config_bytes_, frame.payload, kConfigBytes);
    state_ = State::disarmed;
    // Whatever lies between trigger and ejector is unknown now: everything is rejected until it is through.
    for (unsigned i = 0; i < kParts; ++i) {
        Part& part = slot(i);
        if (part.stage == Stage::free || part.stage == Stage::done) continue;
        part.flags |= kHeld | kDefaulted;
        part.pulse_us = now_us;
        finish(part, Outcome::by_default);
    }
    for (Stranger& stranger : strangers_) stranger.waiting = false;
    waiting_strangers_ = 0;
    pulse_ = false;
    active_place_ = rejected_due_ = hold_place_ = INT64_MIN;
    last_trigger_count_ = kNowhere;
    const std::int64_t travel = same_unit && before > std::int64_t{told.delay} ? before : std::int64_t{told.delay};
    const std::int64_t since = !first ? place(now_us) : has(kDelayCounts) ? 0 : static_cast<std::int64_t>(started_us_);
    hold_until(since + travel + told.window);
    eject_ = has(kPositiveRelease) ? false : holding(reach(now_us));
    put(Output::eject, eject_, now_us);
    run_ = false;
    put(Output::run, false, now_us);
    return Status::ok;
}

Status Controller::arm(const Frame& frame, std::uint64_t now_us) {
    if (!greeted_) return Status::wrong_version;
    if (PayloadReader(frame).u32() != board_.boot_id) return Status::wrong_boot;
    if (state_ == State::unconfigured) return Status::not_now;
    close_all(false);
    ++epoch_;
    if (encoder_fault_) hold_until(place(now_us) + config_.delay + config_.window);
    encoder_fault_ = false;
    last_trigger_count_ = kNowhere;
    state_ = State::armed;
    heard_us_ = now_us;
    set_run(now_us);
    return Status::ok;
}

// A PASS needs everything to be right; a REJECT is taken as long as it can still matter.
Status Controller::judge(const Frame& frame) {
    PayloadReader in(frame);
    const std::uint16_t tag = in.u16(), epoch = in.u16();
    const std::uint8_t word = in.u8();
    if (word != kPass && word != kReject) return Status::bad_value;
    if (epoch != epoch_) return Status::stale_epoch;
    if (state_ != State::armed) return Status::not_armed;
    Part* part = find(tag);
    if (part == nullptr) return Status::unknown_tag;
    if (part->epoch != epoch) return Status::stale_epoch;
    if (part->stage != Stage::coming) return Status::finished;
    if (word == kReject) {
        if (part->closed && part->word == Word::none) return Status::late;
        part->word = Word::reject;
        return Status::ok;
    }
    if (part->word == Word::reject) return Status::rejected_already;
    if (part->word == Word::pass) return Status::ok;
    if (part->closed) return Status::late;
    part->word = Word::pass;
    return Status::ok;
}

Status Controller::recall(const Frame& frame) {
    const Part* part = find(PayloadReader(frame).u16());
    if (part == nullptr) return Status::unknown_tag;
    send_trigger(*part, true);
    if (part->stage == Stage::done) send_result(*part, true);
    return Status::ok;
}

Controller::Part* Controller::find(std::uint16_t tag) {
    Part& part = parts_[tag % kParts];
    return part.stage != Stage::free && part.tag == tag ? &part : nullptr;
}

// -- what the host is told ----------------------------------------------------------------------------------------

void Controller::send(Frame& frame) {
    frame.sequence = sequence_++;  // counts on for a frame that finds no room, so that the host sees the gap
    std::uint8_t bytes[kMaxFrame];
    const std::size_t size = encode_frame(frame, bytes);
    if (size > kTxBytes - tx_size_) {
        ++counters_.dropped_frames;
        return;
    }
    for (std::size_t i = 0; i < size; ++i) tx_[(tx_head_ + tx_size_ + i) % kTxBytes] = bytes[i];
    tx_size_ += size;
}

std::size_t Controller::transmit(std::uint8_t* out, std::size_t room) {
    std::size_t size = 0;
    while (size < room && tx_size_ > 0) {
        out[size++] = tx_[tx_head_];
        tx_head_ = (tx_head_ + 1) % kTxBytes;
        --tx_size_;
    }
    return size;
}

void Controller::send_info(std::uint64_t now_us) {
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::info);
    PayloadWriter(frame)
        .u8(kProtocolVersion)
        .u16(kFirmwareVersion)
        .u32(board_.boot_id)
        .u32(board_.clock_hz)
        .u16(kParts)
        .u16(kAllConfigFlags)
        .u8(static_cast<std::uint8_t>(state_))
        .u8(board_.watchdog_reset ? kWatchdogReset : 0)
        .u16(next_tag_)
        .u16(epoch_)
        .u64(now_us);
    send(frame);
}

void Controller::send_trigger(const Part& part, bool repeated) {
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::trigger);
    PayloadWriter(frame)
        .u16(part.tag)
        .u16(part.epoch)
        .u8(repeated ? kRepeated : 0)
        .u64(part.trigger_us)
        .i64(part.trigger_count);
    send(frame);
}

void Controller::send_result(const Part& part, bool repeated) {
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::result);
    PayloadWriter(frame)
        .u16(part.tag)
        .u16(part.epoch)
        .u8(static_cast<std::uint8_t>(part.outcome))
        .u8(static_cast<std::uint8_t>(part.flags | (repeated ? kRepeated : 0)))
        .u64(part.pulse_us)
        .i64(part.pulse_count)
        .i64(part.due);
    send(frame);
}

std::uint16_t Controller::oldest_tag() const {
    unsigned left = in_flight_;
    std::uint16_t oldest = next_tag_;
    for (unsigned i = 0; left > 0 && i < kParts; ++i) {
        const Part& part = slot(i);
        if (part.stage == Stage::free || part.stage == Stage::done) continue;
        --left;
        // Tags differ by less than half their range as long as the belt moves; distance is counted backwards.
        if (static_cast<std::uint16_t>(next_tag_ - part.tag) > static_cast<std::uint16_t>(next_tag_ - oldest)) oldest = part.tag;
    }
    return oldest;
}

void Controller::send_status(std::uint64_t now_us) {
    const std::uint8_t flags = static_cast<std::uint8_t>(
        (holding(reach(now_us)) ? kHolding : 0) | (bin_full_ ? kBinIsFull : 0) | (encoder_fault_ ? kEncoderFault : 0) |
        (eject_ ? kEjecting : 0) | (board_.watchdog_reset ? kWatchdogReset : 0));
    const Counters& c = counters_;
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::status);
    PayloadWriter(frame)
        .u32(board_.boot_id)
        .u8(static_cast<std::uint8_t>(state_))
        .u8(flags)
        .u16(epoch_)
        .u16(next_tag_)
        .u16(oldest_tag())
        .u16(static_cast<std::uint16_t>(in_flight_))
        .u64(now_us)
        .i64(belt_.count())
        .u32(c.triggers)
        .u32(c.released)
        .u32(c.rejected)
        .u32(c.by_default)
        .u32(c.merged)
        .u32(c.removed)
        .u32(c.not_seen)
        .u32(c.strangers)
        .u32(c.refused_verdicts)
        .u32(c.overflows)
        .u32(c.bounces)
        .u32(c.dropped_frames)
        .u32(reader_.bad_frames());
    send(frame);
}

void Controller::send_fault(Fault fault, std::uint64_t now_us, std::uint32_t value) {
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::fault);
    PayloadWriter(frame).u8(static_cast<std::uint8_t>(fault)).u64(now_us).u32(value);
    send(frame);
}

void Controller::send_encoder(std::uint64_t now_us) {
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::encoder);
    PayloadWriter(frame).u64(now_us).i64(belt_.count());
    send(frame);
}

void Controller::report_periodically(std::uint64_t now_us) {
    if (!greeted_) return;
    if (now_us - status_us_ >= std::uint64_t{config_.status_period_ms} * 1000) {
        status_us_ = now_us;
        send_status(now_us);
    }
    if (config_.encoder_period_ms > 0 && now_us - encoder_us_ >= std::uint64_t{config_.encoder_period_ms} * 1000) {
        encoder_us_ = now_us;
        send_encoder(now_us);
    }
}

}  // namespace lineward
