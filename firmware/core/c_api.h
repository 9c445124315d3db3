/* The controller as a shared library with a C interface: for the simulator, the far end of a pty, and the tests. */
#ifndef LINEWARD_CONTROLLER_C_API_H
#define LINEWARD_CONTROLLER_C_API_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LW_ABI_VERSION 1

typedef struct lw_controller lw_controller;
typedef struct lw_reader lw_reader;

/* One switching of an output. output: 0 eject, 1 run. active: the logical state; level: the pin. */
typedef struct {
    uint64_t us;
    uint8_t output, active, level, reserved[5];
} lw_edge;

uint32_t lw_abi_version(void);

/* flags: what the board remembers of its wiring (ConfigFlag); knows_wiring: whether it remembers anything. */
lw_controller* lw_new(uint32_t boot_id, uint16_t flags, int knows_wiring, int watchdog_reset, uint64_t now_us);
void lw_free(lw_controller* c);

/* Times in µs on one clock that never goes back; a time before the last one counts as the last one. */
void lw_advance(lw_controller* c, uint64_t now_us); /* every wake-up on the way at its own time */
void lw_step(lw_controller* c, uint64_t now_us);    /* one step of a loop that comes as late as it comes */
void lw_receive(lw_controller* c, uint64_t now_us, const uint8_t* bytes, size_t size);
size_t lw_transmit(lw_controller* c, uint8_t* out, size_t room);
void lw_trigger(lw_controller* c, uint64_t now_us);
void lw_presence(lw_controller* c, uint64_t now_us);
void lw_ejected(lw_controller* c, uint64_t now_us);
void lw_bin(lw_controller* c, uint64_t now_us, int full);
/* The belt moved evenly to `count`: each count at which something is due is met at its own time. */
void lw_move(lw_controller* c, uint64_t now_us, int64_t count);
/* The encoder was read: nothing is known of the counts in between. */
void lw_encoder(lw_controller* c, uint64_t now_us, int64_t count);

uint64_t lw_next_wake_us(const lw_controller* c); /* UINT64_MAX: never */
int64_t lw_next_count(const lw_controller* c);    /* INT64_MAX: nowhere */
int lw_state(const lw_controller* c);
unsigned lw_in_flight(const lw_controller* c);
uint16_t lw_flags(const lw_controller* c);

/* The switchings since the last call, oldest first; at most 65536 are kept, those that found no room are counted. */
size_t lw_edges(lw_controller* c, lw_edge* out, size_t room);
uint64_t lw_lost_edges(const lw_controller* c);

/* The codec alone. `out` holds 102 bytes; returns the frame's length, 0 when the payload is longer than 96 bytes. */
size_t lw_encode(uint8_t type, uint8_t sequence, const uint8_t* payload, size_t size, uint8_t* out);
lw_reader* lw_reader_new(void);
void lw_reader_free(lw_reader* r);
/* Take one byte; returns 1 when it completed a frame: type, sequence and payload are then in `out` (98 bytes). */
int lw_reader_feed(lw_reader* r, uint8_t byte, uint8_t* out, size_t* size);
uint32_t lw_reader_bad_frames(const lw_reader* r);

#ifdef __cplusplus
}
#endif
#endif
