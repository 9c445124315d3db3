// The way of a part from the trigger to the ejector, and the outputs.
#include "controller.hpp"

namespace lineward {

namespace {
std::uint64_t sooner(std::uint64_t a, std::uint64_t b) { return a < b ? a : b; }
std::int64_t lesser(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
}  // namespace

Controller::Controller(const Board& board, const Pins& pins, std::uint64_t now_us)
    : board_(board), pins_(pins), started_us_(now_us), status_us_(now_us), encoder_us_(now_us),
      next_tag_(static_cast<std::uint16_t>(board.boot_id >> 8)), epoch_(static_cast<std::uint16_t>(board.boot_id)) {
    config_.status_period_ms = 200;
    config_.flags = board.flags & (kEjectActiveLow | kRunActiveLow | kPositiveRelease);
    belt_.start(now_us);
    put(Output::run, false, now_us);
    // Nothing is known of what lies on the belt: everything is rejected. Where it is not even known what the output
    // does, an output at rest and a belt that may not run are all that is safe.
    eject_ = board.knows_wiring && !has(kPositiveRelease);
    put(Output::eject, eject_, now_us);
    send_info(now_us);
}

// -- places -------------------------------------------------------------------------------------------------------

// Where the belt is: µs, or counts.
std::int64_t Controller::place(std::uint64_t at_us) const {
    return has(kDelayCounts) ? belt_.count() : static_cast<std::int64_t>(at_us);
}

// Where the belt will be when an output that switches now has its effect.
std::int64_t Controller::reach(std::uint64_t now_us) const {
    return has(kDelayCounts) ? belt_.count() + belt_.ahead(now_us, config_.lead_us)
                             : static_cast<std::int64_t>(now_us + config_.lead_us);
}

// -- inputs -------------------------------------------------------------------------------------------------------

bool Controller::debounced(unsigned input, std::uint64_t now_us) {
    const std::uint64_t last = last_edge_us_[input];
    if (last != kNever && now_us - last < config_.debounce_us) {
        ++counters_.bounces;
        return false;
    }
    last_edge_us_[input] = now_us;
    return true;
}

void Controller::trigger(std::uint64_t now_us) {
    step(now_us);
    if (!debounced(0, now_us)) return;
    ++counters_.triggers;
    if (has(kDelayCounts) && state_ != State::unconfigured) {
        if (last_trigger_count_ == belt_.count() && !encoder_fault_) {
            encoder_fault_ = true;  // parts come, but the encoder stands: nobody knows where they are
            become_safe(now_us, Fault::encoder_stands, counters_.triggers);
        }
        last_trigger_count_ = belt_.count();
    }
    const std::int64_t due = place(now_us) + config_.delay;
    Part part;
    part.tag = next_tag_;
    part.epoch = epoch_;
    part.trigger_us = now_us;
    part.trigger_count = belt_.count();
    part.due = due;
    part.stage = Stage::coming;
    part.closed = state_ != State::armed;
    Part& room = slot(0);
    ++next_tag_;
    if (room.stage != Stage::free && room.stage != Stage::done) {  // as many parts as fit are on their way
        ++counters_.overflows;
        hold_until(due + config_.window);
        send_trigger(part, false);
        part.flags = kHeld | kDefaulted;
        part.outcome = Outcome::by_default;
        ++counters_.by_default;
        send_result(part, false);
        send_fault(Fault::fifo_overflow, now_us, counters_.overflows);
    } else {
        room = part;
        ++in_flight_;
        send_trigger(part, false);
        if (state_ == State::unconfigured) {  // no geometry yet: the ejector is held, the part is rejected
            room.flags = kHeld | kDefaulted;
            room.pulse_us = now_us;
            finish(room, Outcome::by_default);
        }
    }
    step(now_us);
}

void Controller::encoder(std::uint64_t now_us, std::int64_t count) {
    belt_.observe(now_us, count);
    step(now_us);
}

void Controller::presence(std::uint64_t now_us) {
    step(now_us);
    if (!has(kPresenceSensor) || !debounced(1, now_us)) return;
    const std::int64_t here = place(now_us);
    for (unsigned i = 0; i < kParts; ++i) {
        Part& part = slot(i);
        if (part.stage != Stage::coming || part.seen) continue;
        const std::int64_t off = here - (part.due - config_.delay + config_.presence_at);
        if (off < -std::int64_t{config_.presence_window} || off > std::int64_t{config_.presence_window}) continue;
        part.seen = true;
        return;
    }
    ++counters_.strangers;
    const std::int64_t due = here + config_.delay - config_.presence_at;
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::stranger);
    PayloadWriter(frame).u16(stranger_number_++).u64(now_us).i64(belt_.count());
    send(frame);
    for (Stranger& stranger : strangers_) {
        if (stranger.waiting) continue;
        stranger = {due, true};
        ++waiting_strangers_;
        step(now_us);
        return;
    }
    hold_until(due + config_.window);
    step(now_us);
}

void Controller::ejected(std::uint64_t now_us) {
    step(now_us);
    if (!has(kConfirmSensor) || !debounced(2, now_us)) return;
    for (unsigned i = 0; i < kParts; ++i) {
        Part& part = slot(i);
        if (part.stage != Stage::confirming) continue;
        part.flags |= kConfirmed;
        finish(part, part.outcome);
        return;
    }
    send_fault(Fault::unexpected_ejection, now_us, counters_.rejected + counters_.by_default);
}

void Controller::bin(std::uint64_t now_us, bool full) {
    step(now_us);
    if (!has(kBinSensor) || full == bin_full_) return;
    bin_full_ = full;
    Frame frame;
    frame.type = static_cast<std::uint8_t>(Type::bin_full);
    PayloadWriter(frame).u8(full).u64(now_us);
    send(frame);
}

// -- the way of a part --------------------------------------------------------------------------------------------

void Controller::step(std::uint64_t now_us) {
    if (state_ == State::armed && now_us - heard_us_ >= std::uint64_t{config_.heartbeat_timeout_ms} * 1000)
        become_safe(now_us, Fault::heartbeat_lost, static_cast<std::uint32_t>((now_us - heard_us_) / 1000));
    const std::int64_t reached = reach(now_us);
    if (eject_) active_place_ = reached;
    watch_pulse(now_us, reached);
    unsigned left = in_flight_;
    for (unsigned i = 0; left > 0 && i < kParts; ++i) {
        Part& part = slot(i);
        if (part.stage == Stage::free || part.stage == Stage::done) continue;
        --left;
        move_on(part, now_us, reached);
    }
    if (waiting_strangers_ > 0) meet_strangers(now_us, reached);
    drive(now_us, reached);
    report_periodically(now_us);
}

void Controller::move_on(Part& part, std::uint64_t now_us, std::int64_t reached) {
    if (part.stage == Stage::coming) {
        if (reached >= part.due - std::int64_t{config_.deadline}) part.closed = true;
        if (reached >= part.due) arrive(part, now_us, reached);
    } else if (part.stage == Stage::passing) {
        if (reached >= part.due + std::int64_t{config_.window}) pass_by(part, now_us, reached);
    } else if (now_us >= part.pulse_us + config_.confirm_us) {
        if (part.word != Word::reject) part.flags |= kDefaulted;
        finish(part, Outcome::not_seen);
    }
}

// The part is at the ejector as soon as a switched output has its effect: this is the moment to act.
void Controller::arrive(Part& part, std::uint64_t now_us, std::int64_t reached) {
    const bool release = has(kPositiveRelease), pass = passes(part), missing = has(kPresenceSensor) && !part.seen;
    part.pulse_us = now_us;
    part.pulse_count = belt_.count();
    if (pass && missing) return finish(part, Outcome::removed);
    if (pass && release) {
        if (holding(reached) || reject_near(part.due) || reached > part.due + std::int64_t{config_.window}) {
            if (holding(reached)) part.flags |= kHeld;
            return finish(part, Outcome::merged);
        }
        start_pulse(now_us, part.due, part.due);
        part.flags |= kPulse;
    }
    if (pass) {
        part.outcome = Outcome::released;
        part.stage = Stage::passing;
        return;
    }
    part.outcome = part.word == Word::reject ? Outcome::fired : Outcome::by_default;
    if (part.word != Word::reject) part.flags |= kDefaulted;
    if (holding(reached)) part.flags |= kHeld;
    if (release) {
        if (part.due > rejected_due_) rejected_due_ = part.due;
        if (active_place_ > part.due - std::int64_t{config_.window}) part.flags |= kLate;
    } else {
        if (!eject_ && reached > part.due + std::int64_t{config_.window}) part.flags |= kLate;
        if (pulse_) part.flags |= kShared;
        part.flags |= kPulse;
        start_pulse(now_us, part.due, part.due);
    }
    if (part.flags & kLate) send_fault(Fault::pulse_late, now_us, part.tag);
    if (missing) return finish(part, Outcome::removed);
    if (!has(kConfirmSensor)) return finish(part, part.outcome);
    part.stage = Stage::confirming;
}

// A passed part has left the ejector's place: it is through, unless something was ejected around it.
void Controller::pass_by(Part& part, std::uint64_t, std::int64_t reached) {
    if (!has(kPositiveRelease) && active_place_ > part.due - std::int64_t{config_.window}) {
        if (holding(reached)) part.flags |= kHeld;
        part.outcome = Outcome::merged;
    }
    finish(part, part.outcome);
}

void Controller::finish(Part& part, Outcome outcome) {
    part.outcome = outcome;
    part.stage = Stage::done;
    --in_flight_;
    switch (outcome) {
        case Outcome::released: ++counters_.released; break;
        case Outcome::fired: ++counters_.rejected; break;
        case Outcome::by_default: ++counters_.by_default; break;
        case Outcome::removed: ++counters_.removed; break;
        case Outcome::not_seen: ++counters_.not_seen; break;
        case Outcome::merged: ++counters_.merged; break;
        case Outcome::none: break;
    }
    send_result(part, false);
}

void Controller::meet_strangers(std::uint64_t now_us, std::int64_t reached) {
    for (Stranger& stranger : strangers_) {
        if (!stranger.waiting || reached < stranger.due) continue;
        stranger.waiting = false;
        --waiting_strangers_;
        if (stranger.due > rejected_due_) rejected_due_ = stranger.due;
        if (!has(kPositiveRelease)) start_pulse(now_us, stranger.due, stranger.due);
    }
}

// Whether something that must not pass is so near that a gate opened for `due` would let it through.
bool Controller::reject_near(std::int64_t due) const {
    const std::int64_t window = config_.window;
    if (rejected_due_ >= due - window) return true;
    for (const Part& part : parts_) {
        if (part.stage == Stage::coming && !passes(part) && part.due >= due - window && part.due <= due + window)
            return true;
    }
    if (waiting_strangers_ == 0) return false;
    for (const Stranger& stranger : strangers_) {
        if (stranger.waiting && stranger.due >= due - window && stranger.due <= due + window) return true;
    }
    return false;
}

// -- the outputs --------------------------------------------------------------------------------------------------

bool Controller::holding(std::int64_t reached) const {
    return state_ == State::unconfigured || encoder_fault_ || reached < hold_place_;
}

// Whether the end of the hold is what ends the output.
bool Controller::holds_only() const {
    return eject_ && !pulse_ && !encoder_fault_ && !has(kPositiveRelease) && state_ != State::unconfigured;
}

void Controller::hold_until(std::int64_t place) {
    if (place > hold_place_) hold_place_ = place;
}

// Begin the pulse, or make the running one longer; `from` is the place from which its width counts.
void Controller::start_pulse(std::uint64_t now_us, std::int64_t from, std::int64_t due) {
    if (!pulse_) pulse_limit_us_ = now_us + std::uint64_t{config_.release_limit_ms} * 1000;
    const std::int64_t base = has(kDelayCounts) ? from : belt_.count();
    const std::int64_t off_count = base + config_.width;
    if (!pulse_ || off_count > pulse_off_count_) pulse_off_count_ = off_count;
    pulse_off_us_ = now_us + config_.width;
    if (!pulse_ || due > pulse_due_) pulse_due_ = due;
    pulse_ = true;
}

void Controller::watch_pulse(std::uint64_t now_us, std::int64_t reached) {
    if (!pulse_) return;
    const bool release = has(kPositiveRelease);
    const bool there = release || !has(kDelayCounts) || belt_.count() >= pulse_due_;  // a belt that stopped short
    const std::int64_t at = has(kDelayCounts) ? reached : belt_.count();
    const bool over = has(kWidthCounts) ? at >= pulse_off_count_ : now_us >= pulse_off_us_;
    if (over && there) pulse_ = false;
    if (!release) return;
    bool cut = config_.release_limit_ms > 0 && now_us >= pulse_limit_us_;
    for (const Part& part : parts_)
        cut = cut || (part.stage == Stage::coming && !passes(part) && reached >= part.due - std::int64_t{config_.window});
    for (const Stranger& stranger : strangers_)
        cut = cut || (stranger.waiting && reached >= stranger.due - std::int64_t{config_.window});
    cut = pulse_ && (cut || holding(reached) || state_ == State::safe);
    if (!cut) return;
    pulse_ = false;
    for (Part& part : parts_) {
        if (part.stage == Stage::passing) part.outcome = Outcome::merged;
    }
}

void Controller::drive(std::uint64_t now_us, std::int64_t reached) {
    if (state_ == State::unconfigured) return;
    const bool held = holding(reached);
    const bool active = has(kPositiveRelease) ? pulse_ && !held : pulse_ || held;
    if (active != eject_) put(Output::eject, active, now_us);
    eject_ = active;
    if (eject_) active_place_ = reached;
}

void Controller::set_run(std::uint64_t now_us) {
    const bool active = state_ == State::armed;
    if (active == run_) return;
    run_ = active;
    put(Output::run, active, now_us);
}

void Controller::put(Output output, bool active, std::uint64_t now_us) {
    const bool low = has(output == Output::eject ? kEjectActiveLow : kRunActiveLow);
    if (pins_.set != nullptr) pins_.set(pins_.context, output, active, active != low, now_us);
}

// -- the states ---------------------------------------------------------------------------------------------------

void Controller::become_safe(std::uint64_t now_us, Fault fault, std::uint32_t value) {
    if (state_ == State::armed) state_ = State::safe;
    close_all(true);
    for (Part& part : parts_) {
        if (has(kPositiveRelease) && part.stage == Stage::passing) part.outcome = Outcome::merged;
    }
    set_run(now_us);
    if (has(kPositiveRelease)) pulse_ = false;
    send_fault(fault, now_us, value);
    send_status(now_us);
}

// No part on its way can be passed any more; `revoke`: what was passed already is not, either.
void Controller::close_all(bool revoke) {
    for (Part& part : parts_) {
        if (part.stage != Stage::coming) continue;
        part.closed = true;
        if (!revoke || part.word != Word::pass) continue;
        part.word = Word::none;
        part.flags |= kRevoked;
    }
}

// -- what comes next ----------------------------------------------------------------------------------------------

std::uint64_t Controller::next_wake_us() const {
    std::uint64_t next = kNever;
    if (state_ == State::armed) next = heard_us_ + std::uint64_t{config_.heartbeat_timeout_ms} * 1000;
    if (greeted_) {
        next = sooner(next, status_us_ + std::uint64_t{config_.status_period_ms} * 1000);
        if (config_.encoder_period_ms > 0) next = sooner(next, encoder_us_ + std::uint64_t{config_.encoder_period_ms} * 1000);
    }
    if (pulse_) {
        const bool short_of_it = has(kDelayCounts) && !has(kPositiveRelease) && belt_.count() < pulse_due_;
        if (!has(kWidthCounts) && !short_of_it) next = sooner(next, pulse_off_us_);
        if (has(kPositiveRelease) && config_.release_limit_ms > 0) next = sooner(next, pulse_limit_us_);
    }
    const bool timed = !has(kDelayCounts);
    auto at_place = [&](std::int64_t place) {
        const std::int64_t at = place - static_cast<std::int64_t>(config_.lead_us);
        next = sooner(next, at > 0 ? static_cast<std::uint64_t>(at) : 0);
    };
    unsigned left = in_flight_;
    for (unsigned i = 0; left > 0 && i < kParts; ++i) {
        const Part& part = slot(i);
        if (part.stage == Stage::free || part.stage == Stage::done) continue;
        --left;
        if (part.stage == Stage::confirming) next = sooner(next, part.pulse_us + config_.confirm_us);
        if (!timed) continue;
        if (part.stage == Stage::passing) at_place(part.due + config_.window);
        if (part.stage != Stage::coming) continue;
        at_place(part.closed ? part.due : part.due - config_.deadline);
        if (pulse_ && has(kPositiveRelease) && !passes(part)) at_place(part.due - config_.window);
    }
    if (timed) {
        for (const Stranger& stranger : strangers_) {
            if (!stranger.waiting) continue;
            at_place(stranger.due);
            if (pulse_ && has(kPositiveRelease)) at_place(stranger.due - config_.window);
        }
        if (holds_only() && hold_place_ > 0) at_place(hold_place_);
    }
    return next;
}

std::int64_t Controller::next_count() const {
    std::int64_t next = kNowhere;
    if (pulse_ && has(kWidthCounts)) next = lesser(next, pulse_off_count_);
    if (!has(kDelayCounts)) return next;
    if (pulse_ && belt_.count() < pulse_due_) next = lesser(next, pulse_due_);
    for (const Part& part : parts_) {
        if (part.stage == Stage::passing) next = lesser(next, part.due + config_.window);
        if (part.stage != Stage::coming) continue;
        next = lesser(next, part.closed ? part.due : part.due - config_.deadline);
        if (pulse_ && has(kPositiveRelease) && !passes(part)) next = lesser(next, part.due - config_.window);
    }
    for (const Stranger& stranger : strangers_) {
        if (!stranger.waiting) continue;
        next = lesser(next, stranger.due);
        if (pulse_ && has(kPositiveRelease)) next = lesser(next, stranger.due - config_.window);
    }
    if (holds_only() && hold_place_ > belt_.count()) next = lesser(next, hold_place_);
    return next;
}

}  // namespace lineward
