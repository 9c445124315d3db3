// The core's own tests: small, without a framework, run under sanitizers. Each prints what failed and ends with 1.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "controller.hpp"

using namespace lineward;

namespace {

int failures = 0;
#define CHECK(holds)                                                          \
    do {                                                                      \
        if (!(holds)) {                                                       \
            std::printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #holds);    \
            ++failures;                                                       \
        }                                                                     \
    } while (false)

struct Rig {
    explicit Rig(std::uint32_t boot = 0x00000100) : core(make(boot), Pins{&Rig::set, this}, 0) {}

    static Board make(std::uint32_t boot) {
        Board board;
        board.boot_id = boot;
        board.knows_wiring = true;
        return board;
    }

    static void set(void* context, Output output, bool active, bool, std::uint64_t) {
        auto* rig = static_cast<Rig*>(context);
        (output == Output::eject ? rig->eject : rig->run) = active;
        if (output == Output::eject && active) ++rig->pulses;
    }

    void tell(Type type, const std::vector<std::uint8_t>& payload) {
        Frame frame;
        frame.type = static_cast<std::uint8_t>(type);
        frame.size = payload.size();
        if (!payload.empty()) std::memcpy(frame.payload, payload.data(), payload.size());
        std::uint8_t bytes[kMaxFrame];
        const std::size_t size = encode_frame(frame, bytes);
        for (std::size_t i = 0; i < size; ++i) core.receive(now, bytes[i]);
    }

    void configure(std::uint32_t delay) {
        Frame frame;
        PayloadWriter(frame).u16(0).u32(delay).u32(10000).u32(5000).u32(2000).u32(0).u16(500).u16(1000)
            .u32(0).u32(0).u32(0).u16(0).u16(0).u16(200);
        CHECK(frame.size == kConfigBytes);
        tell(Type::hello, {kProtocolVersion});
        tell(Type::config, std::vector<std::uint8_t>(frame.payload, frame.payload + frame.size));
    }

    void arm(std::uint32_t boot = 0x00000100) {
        Frame frame;
        PayloadWriter(frame).u32(boot);
        tell(Type::arm, std::vector<std::uint8_t>(frame.payload, frame.payload + frame.size));
    }

    // A loop of 1 kHz, as a small board may run it.
    void run_for(std::uint64_t us, bool beat) {
        for (const std::uint64_t end = now + us; now < end;) {
            now += 1000;
            if (beat && now % 100000 == 0) tell(Type::heartbeat, {});
            core.step(now);
        }
    }

    void pass(std::uint16_t tag, std::uint16_t epoch) {
        Frame frame;
        PayloadWriter(frame).u16(tag).u16(epoch).u8(kPass);
        tell(Type::verdict, std::vector<std::uint8_t>(frame.payload, frame.payload + frame.size));
    }

    std::uint64_t now = 0;
    bool eject = false, run = false;
    int pulses = 0;
    Controller core;
};

void the_crc_has_its_check_value() {
    CHECK(crc16(reinterpret_cast<const std::uint8_t*>("123456789"), 9) == 0x29B1);
}

void it_holds_until_what_was_on_the_belt_is_through() {
    Rig rig;
    CHECK(rig.eject && !rig.run);
    rig.configure(100000);
    rig.run_for(101000, false);
    CHECK(rig.eject);
    rig.run_for(2000, false);
    CHECK(!rig.eject);
}

void a_loop_of_one_kilohertz_keeps_the_promise() {
    Rig rig;
    rig.configure(100000);
    rig.run_for(200000, false);
    rig.arm();
    CHECK(rig.run);
    rig.pulses = 0;
    std::uint16_t tag = 1;
    for (int i = 0; i < 30; ++i, ++tag) {
        rig.core.trigger(rig.now);
        if (i % 3 != 0) rig.pass(tag, 0x0101);
        rig.run_for(40000, true);
    }
    rig.run_for(300000, true);
    CHECK(rig.core.in_flight() == 0);
    CHECK(rig.pulses == 10);
    CHECK(rig.core.counters().released == 20 && rig.core.counters().by_default == 10);
}

void silence_is_safe() {
    Rig rig;
    rig.configure(800000);
    rig.run_for(900000, false);
    rig.arm();
    rig.core.trigger(rig.now);
    rig.pass(1, 0x0101);
    rig.pulses = 0;
    rig.run_for(1000000, false);
    CHECK(rig.core.state() == State::safe && !rig.run);
    CHECK(rig.pulses == 1 && rig.core.counters().released == 0);
}

void no_bytes_pass_a_part() {
    std::mt19937 random(7);
    Rig rig;
    rig.configure(100000);
    rig.run_for(200000, false);
    rig.arm();
    for (int i = 0; i < 200000; ++i) {
        rig.core.receive(rig.now, static_cast<std::uint8_t>(random() % 4 == 0 ? 0 : random()));
        if (i % 100 == 0) rig.run_for(1000, false);
        if (i % 2000 == 0) rig.core.trigger(rig.now);
    }
    rig.run_for(500000, false);
    CHECK(rig.core.counters().released == 0 && rig.core.in_flight() == 0);
    CHECK(rig.core.counters().triggers == 100 && rig.core.counters().by_default == 100);
}

void a_host_that_never_reads_overflows_nothing() {
    Rig rig;
    rig.configure(100000);
    for (int i = 0; i < 2000; ++i) {
        rig.core.trigger(rig.now);
        rig.run_for(10000, false);
    }
    CHECK(rig.core.counters().dropped_frames > 0);
    std::uint8_t bytes[100];
    std::size_t total = 0, taken;
    while ((taken = rig.core.transmit(bytes, sizeof bytes)) > 0) total += taken;
    CHECK(total <= Controller::kTxBytes);
}

}  // namespace

int main() {
    the_crc_has_its_check_value();
    it_holds_until_what_was_on_the_belt_is_through();
    a_loop_of_one_kilohertz_keeps_the_promise();
    silence_is_safe();
    no_bytes_pass_a_part();
    a_host_that_never_reads_overflows_nothing();
    std::printf("controller core: %d failures\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
