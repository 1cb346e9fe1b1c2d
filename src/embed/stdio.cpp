#include "embed/stdio.h"

#include "wasi/cli/stdio.h"

namespace cusp::embed {

namespace {

using wasi::StreamResult;

class TextSource final : public wasi::InputSource {
public:
  explicit TextSource(std::shared_ptr<const WasiGrants> grants) : grants_(std::move(grants)) {}
  bool ready() override { return true; }
  StreamResult<std::span<const std::uint8_t>> peek(std::size_t limit) override {
    std::string_view rest = std::string_view(grants_->stdin_text).substr(at_, limit);
    if (rest.empty()) return wasi::stream_closed();
    return std::span(reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size());
  }
  void consume(std::size_t count) override { at_ += count; }

private:
  std::shared_ptr<const WasiGrants> grants_;
  std::size_t at_ = 0;
};

class FunctionSink final : public wasi::OutputSink {
public:
  FunctionSink(std::shared_ptr<const WasiGrants> grants, WasiGrants::Output WasiGrants::* to)
      : grants_(std::move(grants)), to_(to) {}
  bool ready() override { return true; }
  StreamResult<std::uint64_t> check_write() override { return wasi::kStreamChunk; }
  StreamResult<void> write(std::span<const std::uint8_t> bytes) override {
    ((*grants_).*to_)({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return {};
  }
  StreamResult<void> flush() override { return {}; }

private:
  std::shared_ptr<const WasiGrants> grants_;
  WasiGrants::Output WasiGrants::* to_;
};

class GrantedStdio final : public wasi::Stdio {
public:
  explicit GrantedStdio(std::shared_ptr<const WasiGrants> grants) : grants_(std::move(grants)) {}
  wasi::Ref<wasi::InputSource> stdin_source() override {
    // One for all handles, which share how far it was read.
    if (!stdin_) stdin_ = wasi::Ref<wasi::InputSource>(new TextSource(grants_));
    return stdin_;
  }
  wasi::Ref<wasi::OutputSink> stdout_sink() override { return sink(&WasiGrants::stdout_to); }
  wasi::Ref<wasi::OutputSink> stderr_sink() override { return sink(&WasiGrants::stderr_to); }

private:
  wasi::Ref<wasi::OutputSink> sink(WasiGrants::Output WasiGrants::* to) {
    if (!((*grants_).*to)) return wasi::Ref<wasi::OutputSink>(new wasi::DiscardSink);
    return wasi::Ref<wasi::OutputSink>(new FunctionSink(grants_, to));
  }
  std::shared_ptr<const WasiGrants> grants_;
  wasi::Ref<wasi::InputSource> stdin_;
};

} // namespace

base::Result<std::shared_ptr<const wasi::Config>> make_config(const WasiGrants& grants) {
  auto config = std::make_shared<wasi::Config>();
  config->arguments = grants.arguments;
  config->environment = grants.environment;
  config->file_io = wasi::IoMode::Direct;
  config->outgoing_http = grants.outgoing_http;
  for (const std::string& rule : grants.network) CUSP_TRY(config->network.allow(rule));
  for (const WasiGrants::Directory& directory : grants.directories) {
    auto opened = CUSP_TRY(wasi::Descriptor::open_root(directory.host_path));
    config->preopens.push_back({std::move(opened), directory.guest_path, directory.writable});
  }
  return config;
}

std::unique_ptr<wasi::Stdio> make_stdio(std::shared_ptr<const WasiGrants> grants) {
  if (grants->inherit_stdio) return std::make_unique<wasi::ProcessStdio>();
  return std::make_unique<GrantedStdio>(std::move(grants));
}

} // namespace cusp::embed
