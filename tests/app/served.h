// serve() in a child process, as it runs in production: its streams go to files without names, its address comes back through a pipe.
#pragma once

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/serve.h"
#include "base/unique_fd.h"
#include "prepare/prepare.h"

namespace cusp::test {

inline std::string build_directory() {
  if (const char* named = std::getenv("CUSP_BUILD_DIR")) return named;
  char self[4096];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof self);
  const std::string path(self, size > 0 ? static_cast<std::size_t>(size) : 0);
  return path.substr(0, path.rfind('/'));
}

inline std::string guest_path(const std::string& name) { return build_directory() + "/guests/" + name + ".wasm"; }

// A guest of tests/guests, compiled once per program.
inline std::shared_ptr<const artifact::Artifact> guest_artifact(const std::string& name) {
  static std::shared_ptr<const artifact::Artifact> made;
  if (made) return made;
  prepare::PrepareOptions options;
  options.no_cache = true;
  options.opt_level = 1;
  auto artifact = prepare::prepare_file(guest_path(name), options);
  if (!artifact) {
    ADD_FAILURE() << artifact.error().to_string() << "; guests need wasm-tools: run scripts/dev setup";
    std::abort();
  }
  return made = *artifact;
}

struct Reply {
  int status = 0; // 0: no answer
  std::string head, body;
};

class Served {
public:
  // What the server is to run, and what better may come; called in its process.
  using Source = std::function<prepare::Prepared()>;
  explicit Served(const std::function<void(app::ServeOptions&)>& adjust = [](app::ServeOptions&) {})
      : Served(adjust, [artifact = guest_artifact("http-kit")] { return prepare::Prepared{artifact, nullptr}; }) {}
  Served(const std::function<void(app::ServeOptions&)>& adjust, const Source& source) {
    app::ServeOptions options;
    options.address = "127.0.0.1:0";
    options.workers = 1;
    options.sandbox = app::Sandbox::Off;
    admin_port_ = free_port();
    options.admin_address = "127.0.0.1:" + std::to_string(admin_port_);
    adjust(options);
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    out_ = base::UniqueFd(memfd_create("stdout", 0)), err_ = base::UniqueFd(memfd_create("stderr", 0));
    child_ = fork();
    if (child_ == 0) {
      dup2(out_.get(), 1), dup2(err_.get(), 2);
      options.listening = [&](const std::string& url) {
        (void)!write(ends[1], url.data(), url.size() + 1);
        close(ends[1]);
      };
      prepare::Prepared prepared = source();
      auto code = runtime::Code::load(std::move(prepared.artifact));
      auto ended =
          code ? app::serve(*std::move(code), options, std::move(prepared.better)) : std::unexpected(code.error());
      _exit(ended ? *ended : 99);
    }
    close(ends[1]);
    char url[256] = {};
    EXPECT_GT(read(ends[0], url, sizeof url - 1), 0) << log();
    close(ends[0]);
    const std::string text(url);
    port_ = static_cast<std::uint16_t>(std::atoi(text.substr(text.rfind(':') + 1).c_str()));
  }
  ~Served() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  pid_t pid() const { return child_; }
  void signal(int number) const { kill(child_, number); }
  // The exit code; negative: ended by that signal; 1000: still there after ten seconds.
  int wait() {
    for (int i = 0; i < 1000; ++i) {
      int status = 0;
      if (waitpid(child_, &status, WNOHANG) == child_) {
        child_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
      }
      pause_ms(10);
    }
    return 1000;
  }

  base::UniqueFd connect(std::uint16_t port = 0) const {
    base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port ? port : port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    timeval patience{20, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
  }
  // Sends a request and leaves the answer to receive().
  base::UniqueFd ask(const std::string& path, std::uint16_t port = 0) const {
    base::UniqueFd fd = connect(port);
    if (!fd) return fd;
    const std::string text = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    (void)!send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return fd;
  }
  static Reply receive(const base::UniqueFd& fd) {
    std::string all;
    char buffer[16384];
    while (fd) {
      const ssize_t got = recv(fd.get(), buffer, sizeof buffer, 0);
      if (got <= 0) break;
      all.append(buffer, static_cast<std::size_t>(got));
    }
    Reply reply;
    const std::size_t end = all.find("\r\n\r\n");
    if (end == std::string::npos) return reply;
    reply.status = std::atoi(all.substr(9, 3).c_str());
    reply.head = all.substr(0, end), reply.body = all.substr(end + 4);
    return reply;
  }
  Reply get(const std::string& path) const { return receive(ask(path)); }
  Reply admin(const std::string& path) const { return receive(ask(path, admin_port_)); }
  // The value of a metric, with its labels if it has any: `cusp_responses_total{class="2xx"}`. -1: not on the page.
  double metric(const std::string& name) const {
    const std::string page = "\n" + admin("/metrics").body;
    const std::size_t at = page.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::atof(page.c_str() + at + name.size() + 2);
  }
  // Waits until the metric is so, up to ten seconds: pages are published now and then.
  bool becomes(const std::string& name, double value) const {
    for (int i = 0; i < 500 && metric(name) != value; ++i) pause_ms(20);
    return metric(name) == value;
  }

  std::string output() const { return contents(out_); }
  std::string log() const { return contents(err_); }
  // Waits until a stream holds the text, up to ten seconds.
  bool shows(const std::string& text, bool on_stderr = false) const {
    for (int i = 0; i < 500; ++i, pause_ms(20))
      if ((on_stderr ? log() : output()).find(text) != std::string::npos) return true;
    return false;
  }
  static void pause_ms(int ms) { poll(nullptr, 0, ms); }

private:
  static std::string contents(const base::UniqueFd& fd) {
    std::string text(1 << 20, '\0');
    const ssize_t got = pread(fd.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  static std::uint16_t free_port() {
    base::UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  pid_t child_ = -1;
  std::uint16_t port_ = 0, admin_port_ = 0;
  base::UniqueFd out_, err_;
};

} // namespace cusp::test
