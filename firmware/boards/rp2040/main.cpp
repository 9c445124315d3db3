// The reject controller on an RP2040 (Raspberry Pi Pico) with the Pico SDK. See README.md: never built with it so far.
//
// Interrupts do the exact work: edges are stamped with the 64-bit µs timer, a hardware alarm wakes the core when its
// next switching is due, PIO counts the encoder. The main loop moves bytes over USB and feeds the watchdog. The core
// is entered with interrupts masked, always.
#include <initializer_list>
#include <new>

#include "hardware/gpio.h"
#include "hardware/pio.h"
#include "hardware/sync.h"
#include "hardware/timer.h"
#include "hardware/watchdog.h"
#include "pico/rand.h"
#include "pico/stdlib.h"
#include "quadrature_encoder.pio.h"  // from pico-examples, pio/quadrature_encoder

#include "controller.hpp"

using namespace lineward;

namespace {

// Wiring. Inputs through optocouplers, active low; outputs to drivers whose rest state is the safe one.
constexpr uint kTrigger = 2, kPresence = 3, kEjected = 4, kBin = 5, kEncoderA = 6 /* and 7: B */;
constexpr uint kEject = 10, kRun = 11;
constexpr uint32_t kWatchdogMs = 50;
constexpr uint32_t kRemembered = 0x4C570000;  // "LW": the upper half of scratch register 0, the flags are the lower

alignas(Controller) unsigned char room[sizeof(Controller)];
Controller* core;
uint alarm_number;
int32_t last_raw;
int64_t count;

void set_output(void*, Output output, bool, bool level, uint64_t) {
    gpio_put(output == Output::eject ? kEject : kRun, level);
}

// The alarm is set for the next moment of the core, within a millisecond at most: the encoder needs to be read, too.
void arm_alarm() {
    const uint64_t now = time_us_64();
    uint64_t next = core->next_wake_us();
    if (next > now + 1000) next = now + 1000;
    if (hardware_alarm_set_target(alarm_number, from_us_since_boot(next))) hardware_alarm_force_irq(alarm_number);
}

void read_encoder(uint64_t now) {
    const int32_t raw = quadrature_encoder_get_count(pio0, 0);
    count += raw - last_raw;  // the PIO's 32 bits wrap
    last_raw = raw;
    core->encoder(now, count);
}

void on_alarm(uint) {
    const uint64_t now = time_us_64();
    read_encoder(now);
    core->step(now);
    arm_alarm();
}

void on_edge(uint pin, uint32_t events) {
    const uint64_t now = time_us_64();
    read_encoder(now);  // the count at the very edge
    if (pin == kTrigger) core->trigger(now);
    if (pin == kPresence) core->presence(now);
    if (pin == kEjected) core->ejected(now);
    if (pin == kBin) core->bin(now, (events & GPIO_IRQ_EDGE_FALL) != 0);
    arm_alarm();
}

template <typename Work>
void masked(Work work) {
    const uint32_t state = save_and_disable_interrupts();
    work();
    restore_interrupts(state);
}

void set_up_pins(bool eject_low, bool run_low) {
    for (uint pin : {kEject, kRun}) {
        gpio_init(pin);
        gpio_put(pin, pin == kEject ? eject_low : run_low);  // inactive, before it becomes an output
        gpio_set_dir(pin, GPIO_OUT);
    }
    for (uint pin : {kTrigger, kPresence, kEjected, kBin}) {
        gpio_init(pin);
        gpio_pull_up(pin);
    }
    pio_add_program(pio0, &quadrature_encoder_program);
    quadrature_encoder_program_init(pio0, 0, kEncoderA, 0);
}

}  // namespace

int main() {
    Board board;
    board.watchdog_reset = watchdog_enable_caused_reboot();
    const uint32_t kept = watchdog_hw->scratch[0];
    board.knows_wiring = (kept & 0xFFFF0000) == kRemembered;
    board.flags = board.knows_wiring ? static_cast<uint16_t>(kept) : 0;
    set_up_pins((board.flags & kEjectActiveLow) != 0, (board.flags & kRunActiveLow) != 0);
    stdio_init_all();
    board.boot_id = get_rand_32();

    masked([&] {
        core = new (room) Controller(board, Pins{set_output, nullptr}, time_us_64());
        alarm_number = static_cast<uint>(hardware_alarm_claim_unused(true));
        hardware_alarm_set_callback(alarm_number, on_alarm);
        gpio_set_irq_enabled_with_callback(kTrigger, GPIO_IRQ_EDGE_FALL, true, on_edge);
        gpio_set_irq_enabled(kPresence, GPIO_IRQ_EDGE_FALL, true);
        gpio_set_irq_enabled(kEjected, GPIO_IRQ_EDGE_FALL, true);
        gpio_set_irq_enabled(kBin, GPIO_IRQ_EDGE_FALL | GPIO_IRQ_EDGE_RISE, true);
        arm_alarm();
    });
    watchdog_enable(kWatchdogMs, true);
    while (true) {
        watchdog_update();
        for (int byte; (byte = getchar_timeout_us(0)) != PICO_ERROR_TIMEOUT;) {
            masked([&] { core->receive(time_us_64(), static_cast<uint8_t>(byte)); arm_alarm(); });
        }
        uint8_t bytes[64];
        size_t size = 0;
        masked([&] { size = core->transmit(bytes, sizeof bytes); });
        for (size_t i = 0; i < size; ++i) putchar_raw(bytes[i]);
        if (core->state() != State::unconfigured) watchdog_hw->scratch[0] = kRemembered | core->config().flags;
    }
}
