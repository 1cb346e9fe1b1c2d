#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/archive.h"
#include "prepare/group_store.h"
#include "prepare/prepare.h"

extern char** environ;

namespace cusp::prepare {

using base::ErrorCode;

namespace {

constexpr int kEndingMs = 2000; // for a process that has closed its pipe to be gone

// What the options name, then $CUSP_COMPILE, then beside this program, then the PATH (an empty directory part lets posix_spawnp look there).
Result<std::string> find_compiler(const std::string& wanted) {
  if (!wanted.empty() && access(wanted.c_str(), X_OK) == 0) return wanted;
  if (const char* named = std::getenv("CUSP_COMPILE"); named && *named) {
    if (access(named, X_OK) == 0) return named;
    return base::fail(
        ErrorCode::NotFound,
        fmt::format("CUSP_COMPILE names {}, which cannot be run; it must be the path of cusp-compile", named));
  }
  char self[4096];
  ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
  if (size > 0) {
    std::string beside(self, static_cast<std::size_t>(size));
    beside = beside.substr(0, beside.rfind('/') + 1) + "cusp-compile";
    if (access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "cusp-compile";
}

// A compiler that is gone is an error, not the end of its client.
class WithoutSigpipe {
public:
  WithoutSigpipe() {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &previous_);
  }
  ~WithoutSigpipe() { sigaction(SIGPIPE, &previous_, nullptr); }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

private:
  struct sigaction previous_{};
};

} // namespace

Result<std::unique_ptr<CompilerProcess>> CompilerProcess::start(const PrepareOptions& options) {
  std::string path = CUSP_TRY(find_compiler(options.compiler));
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) return base::fail_errno("make", "a pipe", errno);
  base::UniqueFd in_read(in[0]), in_write(in[1]);
  if (pipe2(out, O_CLOEXEC) != 0) return base::fail_errno("make", "a pipe", errno);
  base::UniqueFd out_read(out[0]), out_write(out[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in_read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out_write.get(), 1);
  std::string batch = "--batch";
  char* argv[] = {path.data(), batch.data(), nullptr};
  pid_t pid = -1;
  int error = posix_spawnp(&pid, path.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return base::fail(
        ErrorCode::NotFound,
        fmt::format("cannot start the compiler {}: {}; put cusp-compile beside cusp, on the PATH, or name it "
                    "in CUSP_COMPILE (an artifact made by `cusp compile` needs none)",
                    path, std::strerror(error)));
  std::unique_ptr<CompilerProcess> process(new CompilerProcess);
  process->options_ = options;
  process->pid_ = pid;
  fcntl(in_write.get(), F_SETFL, O_NONBLOCK);
  process->to_ = std::move(in_write);
  process->from_ = std::move(out_read);
  return process;
}

CompilerProcess::~CompilerProcess() { (void)end(); }

// Ends the process, whatever it does, and tells how it had ended by itself: " (signal 9)", " (exit code 70)", or nothing.
std::string CompilerProcess::end() {
  to_.reset();
  from_.reset();
  if (pid_ <= 0) return {};
  siginfo_t gone{};
  bool by_itself = waitid(P_PID, static_cast<id_t>(pid_), &gone, WEXITED | WNOHANG | WNOWAIT) == 0 && gone.si_pid != 0;
  if (!by_itself) kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (!by_itself) return {};
  return WIFSIGNALED(status) ? fmt::format(" (signal {})", WTERMSIG(status))
                             : fmt::format(" (exit code {})", WEXITSTATUS(status));
}

base::Error CompilerProcess::ended_early(const base::Error& error) {
  if (error.code == ErrorCode::Timeout) {
    (void)end();
    return {.code = ErrorCode::Timeout,
            .message = fmt::format("the compiler was stopped: it had not finished within {:.1f} s",
                                   static_cast<double>(options_.time_limit.count()) / 1000),
            .file = {}};
  }
  // A process that closed its pipe is about to end: its reason is worth a moment.
  base::UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ending{process.get(), POLLIN, 0};
  (void)poll(&ending, 1, kEndingMs);
  return {.code = ErrorCode::Compile,
          .message = fmt::format("the compiler ended without an answer{}: {}", end(), error.message),
          .file = {}};
}

Result<void> CompilerProcess::answer_wanted(std::span<const std::uint8_t> keys, const artifact::Deadline& deadline) {
  artifact::CachedGroups found;
  artifact::Sha256 key;
  for (std::size_t at = 0; at + key.size() <= keys.size(); at += key.size()) {
    std::copy_n(keys.begin() + static_cast<std::ptrdiff_t>(at), key.size(), key.begin());
    found.groups.push_back(find_group(key));
  }
  return artifact::write_frame(to_.get(), artifact::FrameKind::Found, base::archive_write(found), deadline);
}

Result<std::vector<std::uint8_t>> CompilerProcess::compile_bytes(std::span<const std::uint8_t> wasm) {
  const WithoutSigpipe quiet;
  artifact::CompileRequest request = options_;
  artifact::Deadline deadline = std::chrono::steady_clock::now() + options_.time_limit;
  auto sent = artifact::write_frame(to_.get(), artifact::FrameKind::Options, base::archive_write(request), deadline);
  if (sent) sent = artifact::write_frame(to_.get(), artifact::FrameKind::Module, wasm, deadline);
  // A compiler that is gone may have said why.
  for (;;) {
    auto frame = artifact::read_frame(from_.get(), deadline);
    if (!frame) return std::unexpected(ended_early(frame.error()));
    switch (frame->kind) {
    case artifact::FrameKind::Progress:
      if (auto progress = base::archive_read<artifact::CompileProgress>(frame->payload); progress && options_.progress)
        options_.progress(progress->done, progress->total);
      break;
    case artifact::FrameKind::Wanted:
      if (auto answered = answer_wanted(frame->payload, deadline); !answered)
        return std::unexpected(ended_early(answered.error()));
      break;
    case artifact::FrameKind::Made:
      if (artifact::Sha256 key; frame->payload.size() > key.size()) {
        std::copy_n(frame->payload.begin(), key.size(), key.begin());
        keep_group(key, std::span(frame->payload).subspan(key.size()));
      }
      break;
    case artifact::FrameKind::Artifact: return std::move(frame->payload);
    case artifact::FrameKind::Failed: return std::unexpected(artifact::read_error(frame->payload));
    default:
      return base::fail(ErrorCode::Compile,
                        "the compiler's answer is not understood; are cusp and cusp-compile of one build?");
    }
  }
}

Result<std::shared_ptr<const artifact::Artifact>> CompilerProcess::compile(std::span<const std::uint8_t> wasm) {
  return artifact_from_bytes(CUSP_TRY(compile_bytes(wasm)), "compiled module");
}

} // namespace cusp::prepare
