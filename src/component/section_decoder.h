// Reads the sections of one component; nested components have decoders of their own. The first error sticks in the cursor.
// Implemented by concern: decoder.cpp (sections, instances, aliases, imports, exports), decode_types.cpp, decode_core_types.cpp,
// decode_canon.cpp. Private to component/. Spec: Binary.md.
#pragma once

#include "component/decoder.h"
#include "wasm/cursor.h"

namespace cusp::component {

class SectionDecoder {
public:
  SectionDecoder(std::span<const std::uint8_t> bytes, std::uint64_t offset, const wasm::Features& features,
                 std::vector<CoreModule>& modules, unsigned nesting)
      : in_(bytes, offset), features_(features), modules_(modules), nesting_(nesting) {}
  base::Result<std::shared_ptr<ast::Component>> run();

private:
  void section(std::uint8_t id);
  template <class Read> void each(std::string_view what, Read read);
  void add(ast::Definition definition);
  void custom(std::span<const std::uint8_t> body);
  void core_module(std::span<const std::uint8_t> body, std::uint64_t offset);
  void nested(std::span<const std::uint8_t> body, std::uint64_t offset);
  void fail_inside(base::Error error);
  ast::CoreInstance core_instance();
  ast::Instance instance();
  ast::Alias alias();
  ast::Start start();
  ast::Import import();
  ast::Export export_();
  ast::Value value();
  ast::CoreSort core_sort();
  ast::SortIndex sort();           // without the index
  ast::SortIndex external_index(); // of what may be imported or exported
  ast::Name extern_name();
  ast::ExternDesc extern_desc();
  bool flag(std::string_view what);

  ast::TypeDecl type(unsigned depth);
  bool value_type_definition(std::uint8_t form, ast::DefType& def);
  void labels(ast::DefType& def, bool typed);
  void cases(ast::DefType& def);
  ast::FuncTypeRef func_type(bool is_async);
  ast::ResourceType resource_type();
  std::shared_ptr<ast::Scope> scope(bool instance, unsigned depth);
  ast::ValRef val_type();
  std::optional<ast::ValRef> optional_val_type();
  std::optional<ast::ValRef> result_list();

  ast::CoreTypeDecl core_type();
  ast::CoreRecGroup rec_group();
  ast::CoreModuleType module_type();
  ast::CoreExternType core_extern_type();

  ast::Canon canon();
  void builtin_immediate(char letter, ast::Canon& canon);
  ast::Options options();
  AddressType address_type(std::string_view what);

  wasm::Cursor in_;
  const wasm::Features& features_;
  std::vector<CoreModule>& modules_;
  unsigned nesting_;
  std::shared_ptr<ast::Component> out_;
  ast::Counts counts_;
  std::optional<base::Error> inner_error_; // of a module or component inside, whole already
};

} // namespace cusp::component
