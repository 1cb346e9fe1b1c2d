#include "cli/wast_runner.h"

#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "artifact/artifact.h"
#include "cli/wast_component.h"
#include "cli/wast_config.h"
#include "cli/wast_core.h"
#include "cli/wast_values.h"
#include "component/component.h"
#include "loop/event_loop.h"
#include "prepare/prepare.h"
#include "wasm/branch_hints.h"
#include "wasm/reader.h"

namespace cusp::cli {

using base::ErrorCode;

struct WastRunner::State {
  WastOptions options;
  std::unique_ptr<prepare::CompilerProcess> compiler;
  std::mutex compiling; // threads of a script share the compiler
  WastIndexes indexes;
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

std::string problem_text(const WastCommand& command, const Outcome& outcome) {
  return fmt::format("{}: {}: {}", command.line, command.type, outcome.problem);
}

// The state of one script, or of one thread of it. Lives on a fiber, because guest code does.
class ScriptRun {
public:
  // Without instances: `core` and `components` are null, and what needs an instance is skipped.
  ScriptRun(WastCompile compile, const component::Features& features, bool features_chosen,
            std::unique_ptr<WastCore> core, std::unique_ptr<WastComponents> components)
      : compile_(std::move(compile)), features_(features), features_chosen_(features_chosen), core_(std::move(core)),
        components_(std::move(components)) {}

  Outcome run(const WastCommand& command) {
    if (command.type == "thread") return start_thread(command);
    if (command.type == "wait") return join_thread(command);
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

  // A `custom` assertion is about custom sections, which no engine would refuse a module for.
  static base::Result<void> validate_with(const std::vector<std::uint8_t>& bytes, const component::Features& features,
                                          bool custom = false) {
    if (component::is_component(bytes)) return component::validate_component(bytes, features);
    auto module = CUSP_TRY(wasm::read_module(bytes, features.core));
    CUSP_TRY(wasm::validate_bodies(module));
    return custom ? wasm::check_branch_hints(module) : base::Result<void>();
  }

  // Whether cusp lacks what these bytes need, whatever is switched off.
  static bool is_unknown(const std::vector<std::uint8_t>& bytes) {
    auto valid = validate_with(bytes, component::Features());
    return !valid && valid.error().code == ErrorCode::Unsupported;
  }

  // On an OS thread with an event loop and a store of its own.
  Outcome start_thread(const WastCommand& command) {
    if (!core_) return skipped();
    auto core = core_->create_beside(command.shared_module);
    if (!core) return failed(core.error());
    auto components = WastComponents::create(compile_);
    if (!components) return failed(components.error());
    Thread& thread = threads_[command.name.value_or("")];
    auto run =
        std::make_shared<ScriptRun>(compile_, features_, features_chosen_, std::move(*core), std::move(*components));
    run->definitions_ = definitions_;
    thread.handle = std::jthread([&command, &problems = thread.problems, run = std::move(run)] {
      auto ran = loop::EventLoop::run_one([&] {
        for (const WastCommand& inner : command.commands)
          if (Outcome outcome = run->run(inner); outcome.verdict == Verdict::Failed)
            problems += "\n  " + problem_text(inner, outcome);
      });
      if (!ran) problems += "\n  " + ran.error().to_string();
    });
    return passed();
  }

  Outcome join_thread(const WastCommand& command) {
    if (!core_) return skipped();
    auto it = threads_.find(command.thread);
    if (it == threads_.end() || !it->second.handle.joinable()) return failed("there is no such thread");
    it->second.handle.join();
    return it->second.problems.empty() ? passed() : failed("in the thread:" + it->second.problems);
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
      if (auto valid = validate_with(*bytes, features_); !valid) return failed(valid.error());
      definitions_[command.name.value_or("")] = std::move(*bytes);
      return passed();
    }
    if (command.type.starts_with("assert_invalid") || command.type.starts_with("assert_malformed")) {
      auto valid = validate_with(*bytes, features_, command.type.ends_with("_custom"));
      if (valid) return failed(fmt::format("accepted, expected: {}", command.text));
      // What lacks a feature is invalid where the suite or the run has it off, and says nothing where cusp has none.
      const bool lacking = valid.error().code == ErrorCode::Unsupported && !features_chosen_;
      return lacking && is_unknown(*bytes) ? failed(valid.error()) : passed();
    }
    if (!core_) return skipped();
    bool before = component_current_;
    auto linked = instantiate(command, *bytes);
    component_current_ = before;
    if (linked) return failed(fmt::format("instantiated, expected: {}", command.text));
    const base::Error& error = linked.error();
    const bool trapped = error.code == ErrorCode::Trap;
    // Of segments out of bounds a script may say either.
    if (command.type == "assert_unlinkable")
      return error.code == ErrorCode::Unlinkable || (trapped && trap_text_matches(error.message, command.text))
                 ? passed()
                 : failed(error);
    return trapped || error.code == ErrorCode::LimitExceeded ? passed() : failed(error);
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

  struct Thread {
    std::string problems; // of the thread until it is joined
    std::jthread handle;
  };

  WastCompile compile_;
  component::Features features_;
  bool features_chosen_;
  std::unique_ptr<WastCore> core_;
  std::unique_ptr<WastComponents> components_;
  bool component_current_ = false;
  std::map<std::string, std::vector<std::uint8_t>> definitions_;
  std::map<std::string, Thread> threads_; // last: they use the rest
};

} // namespace

base::Result<std::unique_ptr<WastRunner>> WastRunner::create(const WastOptions& options) {
  CUSP_TRY(runtime::initialize());
  std::unique_ptr<WastRunner> runner(new WastRunner);
  runner->state_ = std::make_unique<State>();
  runner->state_->options = options;
  if (!options.validate_only) runner->state_->compiler = CUSP_TRY(prepare::CompilerProcess::start({}));
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
  auto config = state_->indexes.config_of(path, {state_->options.request, state_->options.features});
  if (!config) {
    problem(config.error().to_string());
    counts.failed = 1;
    return counts;
  }
  if (config->hogs_memory && !has_memory_for_hogs()) {
    problem(fmt::format("{}: skipped, for it takes more memory than this machine has left", path.string()));
    counts.skipped = static_cast<std::uint32_t>(script->commands.size());
    return counts;
  }
  if (state_->compiler) state_->compiler->set_request(config->request);
  // What only validates need not be compiled.
  config->features.core = state_->compiler
                              ? wasm::Features::from_bits(config->request.features).value_or(wasm::Features())
                              : wasm::Features::validated();
  WastCompile compile =
      [this](const std::vector<std::uint8_t>& bytes) -> base::Result<std::shared_ptr<const runtime::Code>> {
    std::lock_guard lock(state_->compiling);
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
    ScriptRun run(compile, config->features, state_->options.features_chosen, std::move(core), std::move(components));
    for (const WastCommand& command : script->commands) {
      Outcome outcome = run.run(command);
      if (outcome.verdict == Verdict::Passed) ++counts.passed;
      if (outcome.verdict == Verdict::Skipped) ++counts.skipped;
      if (outcome.verdict == Verdict::Failed) {
        ++counts.failed;
        problem(fmt::format("{}:{}", path.string(), problem_text(command, outcome)));
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
