#include "cli/wast_runner.h"

#include <fmt/format.h>

#include "artifact/artifact.h"
#include "cli/wast_component.h"
#include "cli/wast_core.h"
#include "cli/wast_values.h"
#include "component/component.h"
#include "loop/event_loop.h"
#include "prepare/prepare.h"
#include "wasm/reader.h"

namespace cusp::cli {

using base::ErrorCode;

struct WastRunner::State {
  WastOptions options;
  std::unique_ptr<prepare::CompilerProcess> compiler;
};

namespace {

enum class Verdict : std::uint8_t { Passed, Failed, Skipped };
struct Outcome {
  Verdict verdict = Verdict::Passed;
  std::string problem;
};

Outcome passed() { return {}; }
Outcome failed(std::string problem) { return {Verdict::Failed, std::move(problem)}; }
Outcome failed(const base::Error& error) { return {Verdict::Failed, error.to_string()}; }
Outcome skipped() { return {Verdict::Skipped, {}}; }

// The reference messages are compared as "contains", with slack where they name an index or another engine's reason.
bool trap_text_matches(std::string_view actual, std::string_view expected) {
  if (actual.find(expected) != std::string_view::npos) return true;
  if (expected.starts_with("uninitialized element"))
    return actual.find("uninitialized element") != std::string_view::npos;
  if (expected.starts_with("undefined element")) return actual.find("undefined element") != std::string_view::npos;
  if (expected.starts_with("out of bounds table access")) return actual.find("table") != std::string_view::npos;
  if (expected.starts_with("wasm trap: ")) return trap_text_matches(actual, expected.substr(11));
  if (expected.starts_with("null")) return actual.find("null") != std::string_view::npos;
  return false;
}

// The state of one script. Lives on a fiber, because guest code does.
class ScriptRun {
public:
  // Without instances: `core` and `components` are null, and what needs an instance is skipped.
  ScriptRun(const WastOptions& options, std::unique_ptr<WastCore> core, std::unique_ptr<WastComponents> components)
      : options_(options), core_(std::move(core)), components_(std::move(components)) {}

  Outcome run(const WastCommand& command) {
    if (command.type == "thread" || command.type == "wait") return failed("threads are not supported");
    bool has_file = command.type.starts_with("module") || command.type.starts_with("assert_invalid") ||
                    command.type.starts_with("assert_malformed") || command.type == "assert_unlinkable" ||
                    command.type == "assert_uninstantiable";
    if (command.type == "module_instance") return core_ ? module_instance(command) : skipped();
    if (has_file) return with_file(command);
    if (!core_) return skipped();
    if (command.type == "register") return of(core_->register_as(command.name, command.as));
    if (command.type == "action")
      return component_current_ ? of(components_->perform(command.action)) : of(core_->perform(command.action));
    if (command.type == "assert_return") return assert_return(command);
    if (command.type == "assert_trap" || command.type == "assert_exhaustion") return assert_trap(command);
    if (command.type == "assert_exception") return assert_exception(command);
    return failed(fmt::format("'{}' is not supported", command.type));
  }

private:
  template <class T> static Outcome of(const base::Result<T>& result) {
    return result ? passed() : failed(result.error());
  }

  // What only validates need not be compiled.
  base::Result<void> validate(const std::vector<std::uint8_t>& bytes) {
    component::Features features = options_.features;
    if (!core_) features.core = wasm::Features::validated();
    if (component::is_component(bytes)) return component::validate_component(bytes, features);
    auto module = CUSP_TRY(wasm::read_module(bytes, features.core));
    return wasm::validate_bodies(module);
  }

  base::Result<void> instantiate(const WastCommand& command, const std::vector<std::uint8_t>& bytes) {
    component_current_ = component::is_component(bytes);
    return component_current_ ? components_->instantiate(bytes, command.name) : core_->instantiate(bytes, command.name);
  }

  Outcome with_file(const WastCommand& command) {
    if (command.binary.empty()) return skipped(); // needs a text parser
    auto bytes = read_file(command.binary);
    if (!bytes) return failed(bytes.error());
    if (command.type == "module" && core_) return of(instantiate(command, *bytes));
    if (command.type == "module_definition" || command.type == "module") {
      if (auto valid = validate(*bytes); !valid) return failed(valid.error());
      definitions_[command.name.value_or("")] = std::move(*bytes);
      return passed();
    }
    if (command.type.starts_with("assert_invalid") || command.type.starts_with("assert_malformed")) {
      auto valid = validate(*bytes);
      if (valid) return failed(fmt::format("accepted, expected: {}", command.text));
      // A feature that is missing is no reason, unless the run asked for it to be.
      bool refused = valid.error().code != ErrorCode::Unsupported || options_.features_chosen;
      return refused ? passed() : failed(valid.error());
    }
    if (!core_) return skipped();
    bool before = component_current_;
    auto linked = instantiate(command, *bytes);
    component_current_ = before;
    if (linked) return failed(fmt::format("instantiated, expected: {}", command.text));
    const base::Error& error = linked.error();
    if (command.type == "assert_unlinkable") return error.code == ErrorCode::Unlinkable ? passed() : failed(error);
    return error.code == ErrorCode::Trap ? passed() : failed(error);
  }

  Outcome module_instance(const WastCommand& command) {
    auto it = definitions_.find(command.module.value_or(""));
    if (it == definitions_.end()) return failed("there is no such definition");
    WastCommand as_module = command;
    as_module.name = command.instance;
    return of(instantiate(as_module, it->second));
  }

  Outcome assert_return(const WastCommand& command) {
    if (component_current_) return of(components_->assert_return(command.action, command.expected));
    auto values = core_->perform(command.action);
    if (!values) return failed(values.error());
    if (values->size() != command.expected.size())
      return failed(fmt::format("{} results, expected {}", values->size(), command.expected.size()));
    for (std::size_t i = 0; i < values->size(); ++i)
      if (!core_value_matches(command.expected[i], (*values)[i], core_->store()))
        return failed(fmt::format("{}: result {} is {}, expected {}", command.action.field, i,
                                  describe_core_value(command.expected[i], (*values)[i]), command.expected[i].dump()));
    return passed();
  }

  Outcome assert_trap(const WastCommand& command) {
    if (command.action.field.empty()) return failed("no action");
    base::Result<void> result =
        component_current_ ? components_->perform(command.action) : discard(core_->perform(command.action));
    if (result) return failed(fmt::format("returned, expected a trap: {}", command.text));
    const base::Error& error = result.error();
    if (error.code != ErrorCode::Trap) return failed(error);
    return trap_text_matches(error.message, command.text)
               ? passed()
               : failed(fmt::format("trapped with \"{}\", expected \"{}\"", error.message, command.text));
  }

  Outcome assert_exception(const WastCommand& command) {
    auto result = core_->perform(command.action);
    if (result) return failed("returned, expected an exception");
    bool thrown = result.error().code == ErrorCode::Trap && core_->last_trap() == abi::Trap::UncaughtException;
    return thrown ? passed() : failed(result.error());
  }

  template <class T> static base::Result<void> discard(base::Result<T> result) {
    if (!result) return std::unexpected(std::move(result).error());
    return {};
  }

  const WastOptions& options_;
  std::unique_ptr<WastCore> core_;
  std::unique_ptr<WastComponents> components_;
  bool component_current_ = false;
  std::map<std::string, std::vector<std::uint8_t>> definitions_;
};

} // namespace

base::Result<std::unique_ptr<WastRunner>> WastRunner::create(const WastOptions& options) {
  CUSP_TRY(runtime::initialize());
  std::unique_ptr<WastRunner> runner(new WastRunner);
  runner->state_ = std::make_unique<State>();
  runner->state_->options = options;
  prepare::PrepareOptions compile;
  compile.opt_level = options.opt_level;
  if (options.explicit_bounds) compile.bounds = artifact::BoundsMode::Explicit;
  if (!options.validate_only) runner->state_->compiler = CUSP_TRY(prepare::CompilerProcess::start(compile));
  return runner;
}

WastRunner::~WastRunner() = default;

WastCounts WastRunner::run_script(const std::filesystem::path& path,
                                  const std::function<void(const std::string&)>& problem) {
  WastCounts counts;
  auto script = read_wast_script(path);
  if (!script) {
    problem(script.error().to_string());
    counts.failed = 1;
    return counts;
  }
  WastCompile compile =
      [this](const std::vector<std::uint8_t>& bytes) -> base::Result<std::shared_ptr<const runtime::Code>> {
    auto artifact = CUSP_TRY(state_->compiler->compile(bytes));
    return runtime::Code::load(std::move(artifact));
  };
  auto body = [&]() -> base::Result<void> {
    std::unique_ptr<WastCore> core;
    std::unique_ptr<WastComponents> components;
    if (!state_->options.validate_only) {
      core = CUSP_TRY(WastCore::create(compile));
      components = CUSP_TRY(WastComponents::create(compile));
    }
    ScriptRun run(state_->options, std::move(core), std::move(components));
    for (const WastCommand& command : script->commands) {
      Outcome outcome = run.run(command);
      if (outcome.verdict == Verdict::Passed) ++counts.passed;
      if (outcome.verdict == Verdict::Skipped) ++counts.skipped;
      if (outcome.verdict == Verdict::Failed) {
        ++counts.failed;
        problem(fmt::format("{}:{}: {}: {}", path.string(), command.line, command.type, outcome.problem));
      }
    }
    return {};
  };
  base::Result<void> result;
  auto ran = loop::EventLoop::run_one([&] { result = body(); });
  for (const base::Result<void>* part : {&ran, &result})
    if (!*part) {
      problem(fmt::format("{}: {}", path.string(), part->error().to_string()));
      ++counts.failed;
    }
  return counts;
}

} // namespace cusp::cli
