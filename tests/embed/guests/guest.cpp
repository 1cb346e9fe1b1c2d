// A guest for the embedding tests, over the canonical ABI by hand. What it exports of `echo` it imports too: each function passes its flat
// parameters on to the host and the host's result back, so that every type travels both ways twice.
#include "cusp/guest/abi.hpp"

CUSP_GUEST_RUNTIME

using Area = unsigned char[64];
alignas(8) static Area area;

#define HOST "test:embed/echo@1.2.0"
#define OURS "test:embed/echo@1.2.0#"
// A function whose result is one flat value.
#define DIRECT(name, ident, R, params, args)                                                                           \
  CUSP_IMPORT(HOST, name) R host_##ident params;                                                                       \
  extern "C" CUSP_EXPORT(OURS name) R guest_##ident params { return host_##ident args; }
// A function whose result lies in memory.
#define THROUGH(name, ident, params, args, host_params)                                                                \
  CUSP_IMPORT(HOST, name) void host_##ident host_params;                                                               \
  extern "C" CUSP_EXPORT(OURS name) void* guest_##ident params {                                                       \
    host_##ident args;                                                                                                 \
    return area;                                                                                                       \
  }

DIRECT("scalars", scalars, double,
       (int a, int b, int c, int d, int e, int f, int g, int64_t h, int64_t i, float j, double k),
       (a, b, c, d, e, f, g, h, i, j, k))
DIRECT("echo-bool", echo_bool, int, (int v), (v))
DIRECT("echo-s8", echo_s8, int, (int v), (v))
DIRECT("echo-u64", echo_u64, int64_t, (int64_t v), (v))
DIRECT("echo-f32", echo_f32, float, (float v), (v))
DIRECT("echo-char", echo_char, int, (int v), (v))
DIRECT("echo-color", echo_color, int, (int v), (v))
DIRECT("echo-access", echo_access, int, (int v), (v))
DIRECT("echo-unit", echo_unit, int, (int v), (v))
#define LIST(name, ident) THROUGH(name, ident, (void* p, size_t n), (p, n, area), (void* p, size_t n, void* out))
LIST("echo-string", echo_string)
LIST("echo-bytes", echo_bytes)
LIST("echo-bools", echo_bools)
LIST("echo-points", echo_points)
THROUGH("echo-item", echo_item,
        (int64_t id, void* name, size_t length, void* tags, size_t count, int some, int x, int y),
        (id, name, length, tags, count, some, x, y, area),
        (int64_t, void*, size_t, void*, size_t, int, int, int, void*))
THROUGH("echo-shape", echo_shape, (int which, int64_t a, int b), (which, a, b, area), (int, int64_t, int, void*))
THROUGH("echo-option", echo_option, (int some, void* p, size_t n), (some, p, n, area), (int, void*, size_t, void*))
THROUGH("echo-result", echo_result, (int which, int a, size_t n), (which, a, n, area), (int, int, size_t, void*))
THROUGH("echo-tuple", echo_tuple, (int a, void* p, size_t n, float c), (a, p, n, c, area),
        (int, void*, size_t, float, void*))
THROUGH("many", many, (void* parameters), (parameters, area), (void*, void*))

#define THINGS "test:embed/host-things@1.2.0"
CUSP_IMPORT(THINGS, "[method]counter.add") int counter_add(int self, int n);
CUSP_IMPORT(THINGS, "[resource-drop]counter") void counter_drop(int handle);
CUSP_IMPORT(THINGS, "make") int counter_make(int start);
CUSP_IMPORT(THINGS, "take") int counter_take(int handle);
CUSP_IMPORT(THINGS, "fail") void host_fail(const char* text, size_t length);
CUSP_IMPORT(THINGS, "nap") int host_nap(int milliseconds);

// --- faults
extern "C" CUSP_EXPORT("test:embed/faults@1.2.0#divide") int faults_divide(unsigned a, unsigned b) { return a / b; }
[[clang::noinline]] static unsigned deeper(unsigned depth, volatile unsigned* above) {
  volatile unsigned room[64] = {depth};
  if (depth == 0) return *above;
  return deeper(depth - 1, room) + room[0];
}
extern "C" CUSP_EXPORT("test:embed/faults@1.2.0#dig") unsigned faults_dig(unsigned depth) {
  volatile unsigned zero = 0;
  return deeper(depth, &zero);
}
extern "C" CUSP_EXPORT("test:embed/faults@1.2.0#spin") void faults_spin() {
  volatile int turns = 0;
  for (;;) turns = turns + 1;
}
extern "C" CUSP_EXPORT("test:embed/faults@1.2.0#grow") int faults_grow(int pages) {
  return static_cast<int>(__builtin_wasm_memory_grow(0, static_cast<size_t>(pages)));
}
extern "C" CUSP_EXPORT("test:embed/faults@1.2.0#ask-host-to-fail") void faults_ask(char* text, size_t length) {
  host_fail(text, length);
}
extern "C" CUSP_EXPORT("test:embed/faults@1.2.0#nap") int faults_nap(int milliseconds) {
  return host_nap(milliseconds);
}

// --- resources
#define BAGS "[export]test:embed/things@1.2.0"
CUSP_IMPORT(BAGS, "[resource-new]bag") int bag_new(void* rep);
CUSP_IMPORT(BAGS, "[resource-rep]bag") void* bag_rep(int handle);
CUSP_IMPORT(BAGS, "[resource-drop]bag") void bag_drop(int handle);
struct Bag {
  unsigned sum;
};
static unsigned dropped = 0;
static Bag* make_bag(unsigned sum) {
  auto* bag = static_cast<Bag*>(malloc(sizeof(Bag)));
  bag->sum = sum;
  return bag;
}

#define EXPORT_THING(name) extern "C" CUSP_EXPORT("test:embed/things@1.2.0#" name)
EXPORT_THING("[constructor]bag") int bag_constructor(char*, size_t length) {
  return bag_new(make_bag(static_cast<unsigned>(length)));
}
EXPORT_THING("[method]bag.add") void bag_add(Bag* self, unsigned n) { self->sum += n; }
EXPORT_THING("[method]bag.sum") unsigned bag_sum(Bag* self) { return self->sum; }
EXPORT_THING("[static]bag.merge") int bag_merge(int a, int b) {
  unsigned sum = static_cast<Bag*>(bag_rep(a))->sum + static_cast<Bag*>(bag_rep(b))->sum;
  bag_drop(a);
  bag_drop(b);
  return bag_new(make_bag(sum));
}
EXPORT_THING("[dtor]bag") void bag_destructor(Bag* self) {
  ++dropped;
  free(self);
}
EXPORT_THING("dropped-bags") unsigned dropped_bags() { return dropped; }
EXPORT_THING("count-to") unsigned count_to(unsigned n) {
  int counter = counter_make(0);
  unsigned last = 0;
  for (unsigned i = 0; i < n; ++i) last = static_cast<unsigned>(counter_add(counter, 1));
  return last + static_cast<unsigned>(counter_take(counter));
}
EXPORT_THING("pass") int pass_counter(int counter) {
  counter_add(counter, 100);
  return counter;
}
EXPORT_THING("use-lent") int use_lent(int counter) {
  int sum = counter_add(counter, 7);
  counter_drop(counter);
  return sum;
}
EXPORT_THING("leak") int leak_counter() { return counter_make(5); }
