#include "c_api.h"

#include <cstring>
#include <new>

#include "controller.hpp"

using lineward::Controller;

namespace {
constexpr std::size_t kEdges = 65536;
constexpr std::uint64_t kSampleUs = 1000;  // how often a board reads a belt whose speed matters
}  // namespace

struct lw_controller {
    lw_controller(const lineward::Board& board, std::uint64_t start_us)
        : now_us(start_us), core(board, lineward::Pins{&lw_controller::set, this}, start_us) {}

    static void set(void* context, lineward::Output output, bool active, bool level, std::uint64_t at_us) {
        auto* self = static_cast<lw_controller*>(context);
        if (self->edges == kEdges) {
            ++self->lost;
            return;
        }
        self->edge[self->edges++] = {at_us, static_cast<std::uint8_t>(output), active, level, {}};
    }

    std::uint64_t forward(std::uint64_t at_us) { return now_us = at_us > now_us ? at_us : now_us; }

    // Declared before the core, whose constructor switches outputs already.
    std::uint64_t now_us = 0, lost = 0;
    std::int64_t count = 0;
    std::size_t edges = 0;
    lw_edge edge[kEdges];
    Controller core;
};

struct lw_reader {
    lineward::FrameReader reader;
};

extern "C" {

uint32_t lw_abi_version(void) { return LW_ABI_VERSION; }

lw_controller* lw_new(uint32_t boot_id, uint16_t flags, int knows_wiring, int watchdog_reset, uint64_t now_us) {
    lineward::Board board;
    board.boot_id = boot_id;
    board.flags = flags;
    board.knows_wiring = knows_wiring != 0;
    board.watchdog_reset = watchdog_reset != 0;
    return new (std::nothrow) lw_controller(board, now_us);
}

void lw_free(lw_controller* c) { delete c; }

void lw_advance(lw_controller* c, uint64_t now_us) {
    while (true) {
        const std::uint64_t next = c->core.next_wake_us();
        if (next >= now_us) break;
        c->core.step(c->forward(next > c->now_us ? next : c->now_us + 1));
    }
    c->core.step(c->forward(now_us));
}

void lw_step(lw_controller* c, uint64_t now_us) { c->core.step(c->forward(now_us)); }

void lw_receive(lw_controller* c, uint64_t now_us, const uint8_t* bytes, size_t size) {
    lw_advance(c, now_us);
    for (std::size_t i = 0; i < size; ++i) c->core.receive(c->now_us, bytes[i]);
}

size_t lw_transmit(lw_controller* c, uint8_t* out, size_t room) { return c->core.transmit(out, room); }

void lw_trigger(lw_controller* c, uint64_t now_us) {
    lw_advance(c, now_us);
    c->core.trigger(c->now_us);
}

void lw_presence(lw_controller* c, uint64_t now_us) {
    lw_advance(c, now_us);
    c->core.presence(c->now_us);
}

void lw_ejected(lw_controller* c, uint64_t now_us) {
    lw_advance(c, now_us);
    c->core.ejected(c->now_us);
}

void lw_bin(lw_controller* c, uint64_t now_us, int full) {
    lw_advance(c, now_us);
    c->core.bin(c->now_us, full != 0);
}

void lw_move(lw_controller* c, uint64_t now_us, int64_t count) {
    const std::uint64_t from_us = c->now_us;
    const std::int64_t from = c->count;
    const bool sampled = c->core.config().lead_us > 0 && (c->core.config().flags & lineward::kDelayCounts);
    while (count > c->count && now_us > c->now_us) {
        std::int64_t next = c->core.next_count();
        if (next <= c->count) next = c->count + 1;
        const double us_per_count = static_cast<double>(now_us - from_us) / static_cast<double>(count - from);
        std::uint64_t at_us = now_us;
        if (next < count) at_us = from_us + static_cast<std::uint64_t>(static_cast<double>(next - from) * us_per_count);
        if (sampled && at_us > c->now_us + kSampleUs) {
            at_us = c->now_us + kSampleUs;
            next = from + static_cast<std::int64_t>(static_cast<double>(at_us - from_us) / us_per_count);
            if (next < c->count) next = c->count;
        }
        if (at_us >= now_us || next >= count) break;
        lw_advance(c, at_us);
        c->count = next;
        c->core.encoder(c->now_us, next);
    }
    lw_encoder(c, now_us, count);
}

void lw_encoder(lw_controller* c, uint64_t now_us, int64_t count) {
    lw_advance(c, now_us);
    c->count = count;
    c->core.encoder(c->now_us, count);
}

uint64_t lw_next_wake_us(const lw_controller* c) { return c->core.next_wake_us(); }
int64_t lw_next_count(const lw_controller* c) { return c->core.next_count(); }
int lw_state(const lw_controller* c) { return static_cast<int>(c->core.state()); }
unsigned lw_in_flight(const lw_controller* c) { return c->core.in_flight(); }
uint16_t lw_flags(const lw_controller* c) { return c->core.config().flags; }

size_t lw_edges(lw_controller* c, lw_edge* out, size_t room) {
    const std::size_t taken = room < c->edges ? room : c->edges;
    std::memcpy(out, c->edge, taken * sizeof(lw_edge));
    std::memmove(c->edge, c->edge + taken, (c->edges - taken) * sizeof(lw_edge));
    c->edges -= taken;
    return taken;
}

uint64_t lw_lost_edges(const lw_controller* c) { return c->lost; }

size_t lw_encode(uint8_t type, uint8_t sequence, const uint8_t* payload, size_t size, uint8_t* out) {
    if (size > lineward::kMaxPayload) return 0;
    lineward::Frame frame;
    frame.type = type;
    frame.sequence = sequence;
    frame.size = size;
    if (size > 0) std::memcpy(frame.payload, payload, size);
    return lineward::encode_frame(frame, out);
}

lw_reader* lw_reader_new(void) { return new (std::nothrow) lw_reader; }
void lw_reader_free(lw_reader* r) { delete r; }

int lw_reader_feed(lw_reader* r, uint8_t byte, uint8_t* out, size_t* size) {
    if (!r->reader.feed(byte)) return 0;
    const lineward::Frame& frame = r->reader.frame();
    out[0] = frame.type;
    out[1] = frame.sequence;
    std::memcpy(out + 2, frame.payload, frame.size);
    *size = frame.size;
    return 1;
}

uint32_t lw_reader_bad_frames(const lw_reader* r) { return r->reader.bad_frames(); }

}  // extern "C"
