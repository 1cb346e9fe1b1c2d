// Two tiers. The first one's artifact is made at once; the optimising compile belongs to a process of its own, which this one forks
// while it still may: it needs to start programs and open files, what a server gives up before it serves. Its answer is one message:
// an open artifact, or what went wrong. Whatever happens to it, its client goes on with the code that it has.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "artifact/compiler_protocol.h"
#include "artifact/sha256.h"
#include "prepare/input.h"

namespace cusp::prepare {

using artifact::Artifact;
using base::ErrorCode;

namespace {

constexpr int kNice = 10; // a tenth of a processor while all are busy
constexpr std::size_t kMaxMessage = 16384;

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

void send_answer(int to, const Result<std::shared_ptr<const Artifact>>& artifact) {
  std::vector<std::uint8_t> text{0};
  if (!artifact) text = artifact::write_error(artifact.error());
  iovec part{text.data(), std::min(text.size(), kMaxMessage)};
  Control control{};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  if (artifact) {
    message.msg_control = control.bytes, message.msg_controllen = sizeof control.bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = (*artifact)->fd();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  (void)sendmsg(to, &message, MSG_NOSIGNAL);
}

// Another process may have made it, or be about to.
Result<std::shared_ptr<const Artifact>> make_better(Input& input, const PrepareOptions& options,
                                                    const std::string& content_hash, Background background) {
  if (options.no_cache) return artifact_from_bytes(CUSP_TRY(compile_input(input, options)), input.path);
  StoreKey key = CUSP_TRY(key_of(input, options));
  auto lock = StoreLock::take(key, background == Background::WhileHere);
  if (!lock && background == Background::Detached) return std::unexpected(std::move(lock).error());
  if (auto found = take_from_store(key)) return found;
  std::vector<std::uint8_t> bytes = CUSP_TRY(compile_input(input, options));
  if (lock && lock->is_in_place())
    if (auto kept = put_into_store(key, bytes)) return kept;
  auto made = CUSP_TRY(artifact_from_bytes(bytes, input.path));
  if (artifact::to_hex(made->key().module_hash) != content_hash)
    return base::fail(ErrorCode::Io, "the file has changed since it was first compiled");
  return made;
}

// REQUIRES: in a process of its own. `answer` is -1 where nobody waits.
[[noreturn]] void run_in_background(Input& input, PrepareOptions& options, const std::string& content_hash,
                                    int answer) {
  const Background background = answer < 0 ? Background::Detached : Background::WhileHere;
  setsid();
  (void)!nice(kNice);
  std::signal(SIGPIPE, SIG_IGN);
  // Whoever reads the client's output must not wait for this process to close it.
  if (int null = open("/dev/null", O_RDWR); null >= 0)
    for (int stream = 0; stream < 3; ++stream) dup2(null, stream);
  if (answer > 3) close_range(3, static_cast<unsigned>(answer) - 1, 0);
  close_range(static_cast<unsigned>(std::max(answer, 2)) + 1, ~0u, 0);
  options.progress = nullptr;
  auto made = make_better(input, options, content_hash, background);
  if (answer >= 0) send_answer(answer, made);
  _exit(0);
}

Result<void> start_detached(Input& input, PrepareOptions& options, const std::string& content_hash) {
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) run_in_background(input, options, content_hash, -1);
    _exit(0);
  }
  if (child < 0) return base::fail_errno("start", "a process for the compiler", errno);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

} // namespace

Result<Prepared> prepare_tiers(const std::string& path, const PrepareOptions& wanted, Tier tier,
                               Background background) {
  PrepareOptions options = wanted;
  PrepareOptions first = options;
  first.opt_level = 0;
  if (tier == Tier::First) return Prepared{CUSP_TRY(prepare_file(path, first)), nullptr};
  const bool nothing_is_kept = options.no_cache && background == Background::Detached;
  auto looked = look_at(path);
  if (tier == Tier::Optimising || options.opt_level == 0 || nothing_is_kept || !looked || looked->is_artifact)
    return Prepared{CUSP_TRY(prepare_file(path, options)), nullptr};
  Input& input = *looked;
  StoreKey key;
  if (!options.no_cache) {
    auto found_key = key_of(input, options);
    if (!found_key) return std::unexpected(named(std::move(found_key).error(), path));
    key = *std::move(found_key);
    if (auto better = take_from_store(key)) return Prepared{*std::move(better), nullptr};
  }
  auto artifact = prepare_input(input, first);
  if (!artifact) return std::unexpected(named(std::move(artifact).error(), path));
  const std::string content_hash = artifact::to_hex((*artifact)->key().module_hash);
  if (background == Background::Detached) {
    CUSP_TRY(start_detached(input, options, content_hash));
    return Prepared{*std::move(artifact), nullptr};
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return base::fail_errno("make", "a socket pair", errno);
  base::UniqueFd ours(ends[0]), theirs(ends[1]);
  const pid_t parent = getpid(), child = fork();
  if (child < 0) return base::fail_errno("start", "a process for the compiler", errno);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    run_in_background(input, options, content_hash, theirs.get());
  }
  base::UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  return Prepared{*std::move(artifact),
                  std::unique_ptr<BetterTier>(new BetterTier(std::move(ours), std::move(process), path))};
}

// Without the right to end a process, what is left of it ends with this one.
BetterTier::~BetterTier() {
  if (process_ && syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0) == 0)
    waitid(P_PIDFD, static_cast<id_t>(process_.get()), nullptr, WEXITED);
}

Result<std::shared_ptr<const Artifact>> BetterTier::take() {
  std::vector<std::uint8_t> text(kMaxMessage);
  iovec part{text.data(), text.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control.bytes, message.msg_controllen = sizeof control.bytes;
  ssize_t got = -1;
  while ((got = recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (got <= 0)
    return base::fail(ErrorCode::Compile, "the process that compiles in the background ended without an answer");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS)
    return std::unexpected(artifact::read_error(std::span(text).first(static_cast<std::size_t>(got))));
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return Artifact::from_fd(base::UniqueFd(fd), Artifact::Verify::Header, name_);
}

} // namespace cusp::prepare
