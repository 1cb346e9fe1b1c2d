#include "compile/batch.h"

#include <atomic>
#include <mutex>

#include <fmt/format.h>

#include "compile/compile.h"

namespace cusp::compile {

namespace {

using artifact::Frame;
using artifact::FrameKind;
using base::ErrorCode;
using base::Result;

std::mutex output_mutex;            // frames must not interleave
std::atomic<int> death_output = -1; // where report_death() writes

Result<void> send(int out, FrameKind kind, std::span<const std::uint8_t> payload) {
  std::lock_guard lock(output_mutex);
  return artifact::write_frame(out, kind, payload);
}

// The client's, at the other end of the pipes.
class ClientCache final : public GroupCache {
public:
  ClientCache(int in, int out) : in_(in), out_(out) {}

  Result<std::vector<std::vector<std::uint8_t>>> find(std::span<const artifact::Sha256> keys) override {
    std::vector<std::uint8_t> wanted;
    for (const artifact::Sha256& key : keys) wanted.insert(wanted.end(), key.begin(), key.end());
    CUSP_TRY(send(out_, FrameKind::Wanted, wanted));
    Frame frame = CUSP_TRY(artifact::read_frame(in_));
    if (frame.kind != FrameKind::Found) return base::fail(ErrorCode::Corrupt, "expected compiled groups");
    return CUSP_TRY(base::archive_read<artifact::CachedGroups>(frame.payload)).groups;
  }
  void keep(const artifact::Sha256& key, std::span<const std::uint8_t> bytes) override {
    std::vector<std::uint8_t> made(key.begin(), key.end());
    made.insert(made.end(), bytes.begin(), bytes.end());
    (void)send(out_, FrameKind::Made, made); // a reader that is gone shows when the result is sent
  }

private:
  int in_, out_;
};

Result<std::vector<std::uint8_t>> compile_request(const artifact::CompileRequest& request,
                                                  std::span<const std::uint8_t> module, int in, int out) {
  CompileOptions options{request, {}, nullptr};
  ClientCache cache(in, out);
  if (request.cache_groups) options.cache = &cache;
  std::uint32_t last_percent = ~0u;
  options.progress = [&](std::uint32_t done, std::uint32_t total) {
    std::uint32_t percent = total == 0 ? 100 : static_cast<std::uint32_t>(std::uint64_t{done} * 100 / total);
    if (percent == last_percent) return;
    last_percent = percent;
    artifact::CompileProgress progress{done, total};
    (void)send(out, FrameKind::Progress,
               base::archive_write(progress)); // a reader that is gone shows when the result is sent
  };
  return compile_artifact(module, options);
}

} // namespace

Result<void> serve_batch(int in, int out) {
  for (;;) {
    auto first = artifact::read_frame(in);
    if (!first && first.error().code == ErrorCode::NotFound) return {};
    if (!first) return std::unexpected(first.error());
    auto request = base::archive_read<artifact::CompileRequest>(first->payload);
    if (first->kind != FrameKind::Options || !request)
      return base::fail(ErrorCode::Corrupt, "expected a compile request");
    Frame module = CUSP_TRY(artifact::read_frame(in));
    if (module.kind != FrameKind::Module) return base::fail(ErrorCode::Corrupt, "expected a module");
    death_output = out;
    auto bytes = compile_request(*request, module.payload, in, out);
    death_output = -1;
    CUSP_TRY(bytes ? send(out, FrameKind::Artifact, *bytes)
                   : send(out, FrameKind::Failed, artifact::write_error(bytes.error())));
  }
}

void report_death(ErrorCode code, std::string_view message) {
  int out = death_output.exchange(-1);
  if (out < 0) return;
  // Whoever holds the lock is writing a small progress frame; the process ends after this, so the lock is not given
  // back.
  output_mutex.lock();
  (void)artifact::write_frame(out, FrameKind::Failed,
                              artifact::write_error({.code = code, .message = std::string(message), .file = {}}));
}

} // namespace cusp::compile
