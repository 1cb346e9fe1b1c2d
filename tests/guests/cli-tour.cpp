// A command that walks through what wasi:cli/run gives a program; its arguments choose the stop.
#include "cusp/guest/system.hpp"

using namespace cusp::guest;

static void print(View text) { write_all(system_abi::get_stdout(), text); }

static bool files(View folder) {
  Text path;
  path.add(folder).add("/made.txt");
  FileResult made = open_file(path, true);
  if (!made.ok) return false;
  Returned<16> written;
  system_abi::file_write(made.value, "content", 7, 0, &written);
  print(Text().add("wrote ").add_number(written.wide(8)).add("\n"));
  Returned<16> result;
  system_abi::file_read(made.value, 100, 0, &result);
  print(Text().add("read ").add(result.view(4)).add("\n"));
  FileResult escape = open_file(Text().add(folder).add("/../../etc/passwd"), false);
  print(escape.ok ? "escaped\n" : "no escape\n");
  FileResult absent = open_file(Text().add(folder).add("/absent"), false);
  print(!absent.ok && absent.value == kErrorNoEntry ? "absent\n" : "wrong error\n");
  return true;
}

// Not inlined, so that the trap keeps a line of its own.
[[gnu::noinline]] static void give_up() { __builtin_trap(); }

static bool run() {
  View what = argument(1);
  if (what == View("hello") || what.size == 0) print("hello from a command\n");
  if (what == View("env")) each_variable([](Variable v) { print(Text().add(v.name).add("=").add(v.value).add("\n")); });
  if (what == View("args"))
    for (int32_t i = 1; argument(i).size != 0; ++i) print(Text().add(argument(i)).add("\n"));
  if (what == View("fail")) return false;
  if (what == View("exit")) {
    print("before\n");
    system_abi::exit_with(1);
    print("after\n");
  }
  if (what == View("trap")) give_up();
  if (what == View("stderr")) write_all(system_abi::get_stderr(), "to stderr\n");
  if (what == View("stdin")) {
    int32_t input = system_abi::get_stdin();
    for (;;) {
      Returned<12> part;
      http_abi::stream_read(input, 4096, &part);
      if (part.byte(0) != 0) break;
      print(part.view(4));
    }
  }
  if (what == View("sleep")) {
    int64_t start = system_abi::monotonic_now();
    sleep_ns(20'000'000);
    print(system_abi::monotonic_now() - start >= 20'000'000 ? "slept\n" : "woke early\n");
  }
  if (what == View("files")) return files(argument(2));
  return true;
}

CUSP_GUEST_RUNTIME

extern "C" CUSP_EXPORT("wasi:cli/run@0.2.0#run") int32_t cusp_guest_run() { return run() ? 0 : 1; }
