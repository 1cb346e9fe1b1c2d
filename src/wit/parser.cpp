#include "wit/parser.h"

#include <charconv>

#include <fmt/format.h>

#include "wit/lexer.h"

namespace cusp::wit {

using base::Result;

namespace syntax {
namespace {

constexpr unsigned kMaxTypeNesting = 100;

class Parser {
public:
  Parser(const Sources& sources, std::uint32_t file, Lexed lexed) : sources_(sources), lexed_(std::move(lexed)) {
    result_.file = file;
  }

  Result<File> run() {
    while (token().kind != TokenKind::End) CUSP_TRY(top_item(result_.items, true));
    return std::move(result_);
  }

private:
  // ---- tokens ----

  const Token& token(std::size_t ahead = 0) const {
    return lexed_.tokens[std::min(at_ + ahead, lexed_.tokens.size() - 1)];
  }
  bool at(std::string_view text, std::size_t ahead = 0) const {
    const Token& next = token(ahead);
    return (next.kind == TokenKind::Keyword || next.kind == TokenKind::Punctuation) && next.text == text;
  }
  bool take(std::string_view text) {
    if (!at(text)) return false;
    ++at_;
    return true;
  }
  std::string describe(const Token& next) const {
    switch (next.kind) {
    case TokenKind::End: return "the end of the file";
    case TokenKind::Keyword: return fmt::format("the keyword `{}`", next.text);
    case TokenKind::String: return "a string";
    default: return fmt::format("`{}`", next.text);
    }
  }
  std::unexpected<base::Error> expected(std::string_view what) const {
    return sources_.fail(token().span, fmt::format("expected {}, found {}", what, describe(token())));
  }
  Result<Span> expect(std::string_view text) {
    if (!at(text)) return expected(fmt::format("`{}`", text));
    return lexed_.tokens[at_++].span;
  }
  Result<Id> id(std::string_view what) {
    const Token& next = token();
    if (next.kind == TokenKind::Keyword)
      return sources_.fail(next.span,
                           fmt::format("expected {}, found the keyword `{}`; write `%{}` to use it as a name", what,
                                       next.text, next.text));
    if (next.kind != TokenKind::Identifier) return expected(what);
    ++at_;
    return Id{next.text, next.span};
  }
  // True when no blank stands between this token and the next.
  bool adjoins_next() const { return token().span.end == token(1).span.begin; }

  Result<Version> version() {
    const Token& next = token();
    auto parsed = next.kind == TokenKind::Version ? parse_version(next.text) : std::nullopt;
    if (!parsed) return expected("a version such as 1.2.3");
    ++at_;
    return *parsed;
  }

  // ---- names ----

  Result<Package> package_header(std::string docs) {
    Package package;
    package.docs = std::move(docs);
    Id space = CUSP_TRY(id("the package's namespace"));
    CUSP_TRY(expect(":"));
    Id name = CUSP_TRY(id("the package's name"));
    package.span = {space.span.file, space.span.begin, name.span.end};
    package.name = {std::string(space.name), std::string(name.name), {}};
    if (at(":") || at("/"))
      return sources_.fail(token().span, "nested namespaces are not supported; a package is named `namespace:name`");
    if (take("@")) {
      package.span.end = token().span.end;
      package.name.version = CUSP_TRY(version());
    }
    return package;
  }

  Result<Path> path() {
    Path path;
    path.name = CUSP_TRY(id("the name of an interface or world"));
    path.span = path.name.span;
    if (!take(":")) return path;
    Id package = CUSP_TRY(id("the name of a package"));
    if (!at("/"))
      return sources_.fail({path.span.file, path.span.begin, package.span.end},
                           fmt::format("`{}:{}` is a package; name an interface or world in it: `{}:{}/name`",
                                       path.name.name, package.name, path.name.name, package.name));
    ++at_;
    path.package = PackageName{std::string(path.name.name), std::string(package.name), {}};
    path.name = CUSP_TRY(id("the name of an interface or world"));
    path.span.end = path.name.span.end;
    if (take("@")) {
      path.span.end = token().span.end;
      path.package->version = CUSP_TRY(version());
    }
    return path;
  }

  // ---- attributes ----

  Result<Attributes> attributes() {
    Attributes result;
    result.docs = lexed_.docs[at_];
    result.gate_span = token().span;
    while (at("@")) {
      Span start = token().span;
      ++at_;
      Id name = CUSP_TRY(id("since, unstable, deprecated or external-id"));
      result.gate_span = {start.file, std::min(result.gate_span.begin, start.begin), name.span.end};
      Span span{start.file, start.begin, name.span.end};
      CUSP_TRY(expect("("));
      if (name.name == "since") {
        if (result.gate.since) return sources_.fail(span, "there is more than one `@since`; keep one");
        result.gate.since = CUSP_TRY(version_field());
      } else if (name.name == "deprecated") {
        if (result.gate.deprecated) return sources_.fail(span, "there is more than one `@deprecated`; keep one");
        result.gate.deprecated = CUSP_TRY(version_field());
      } else if (name.name == "unstable") {
        if (!result.gate.unstable.empty()) return sources_.fail(span, "there is more than one `@unstable`; keep one");
        CUSP_TRY(field("feature"));
        result.gate.unstable = CUSP_TRY(id("the name of a feature")).name;
      } else if (name.name == "external-id") {
        if (token().kind != TokenKind::String) return expected("a string");
        result.external_id = CUSP_TRY(unescape(sources_, token().span));
        ++at_;
      } else {
        return sources_.fail(span,
                             fmt::format("`@{}` is unknown; there are @since(version = …), @unstable(feature = …), "
                                         "@deprecated(version = …) and @external-id(\"…\")",
                                         name.name));
      }
      CUSP_TRY(expect(")"));
    }
    const Gate& gate = result.gate;
    if (gate.since && !gate.unstable.empty())
      return sources_.fail(result.gate_span, "`@since` and `@unstable` exclude each other; keep one");
    if (gate.deprecated && !gate.since && gate.unstable.empty())
      return sources_.fail(result.gate_span, "`@deprecated` needs a `@since` or `@unstable` beside it");
    return result;
  }
  Result<void> field(std::string_view name) {
    Id found = CUSP_TRY(id(fmt::format("`{} = `", name)));
    if (found.name != name)
      return sources_.fail(found.span, fmt::format("expected `{}`, found `{}`", name, found.name));
    CUSP_TRY(expect("="));
    return {};
  }
  Result<Version> version_field() {
    CUSP_TRY(field("version"));
    return version();
  }

  // ---- top level ----

  Result<void> top_item(Items& items, bool outermost) {
    std::string docs = lexed_.docs[at_];
    Span start = token().span;
    Attributes attributes = CUSP_TRY(this->attributes());
    if (at("package")) {
      if (!outermost) return sources_.fail(token().span, "a package cannot stand inside another package; move it out");
      if (token().span.begin != start.begin) return sources_.fail(start, "a package cannot be gated; gate its items");
      return package_item(std::move(docs));
    }
    if (at("use")) {
      if (token().span.begin != start.begin) return sources_.fail(start, "a `use` of a file cannot be gated");
      items.uses.push_back(CUSP_TRY(top_use()));
      return {};
    }
    if (take("interface")) {
      Interface interface;
      interface.attributes = std::move(attributes);
      interface.name = CUSP_TRY(id("the interface's name"));
      CUSP_TRY(interface_body(interface));
      items.interfaces.push_back(std::move(interface));
      return {};
    }
    if (take("world")) {
      World world;
      world.attributes = std::move(attributes);
      world.name = CUSP_TRY(id("the world's name"));
      CUSP_TRY(world_body(world));
      items.worlds.push_back(std::move(world));
      return {};
    }
    return expected("`package`, `use`, `interface` or `world`");
  }

  Result<void> package_item(std::string docs) {
    Span keyword = token().span;
    bool first = at_ == 0;
    ++at_;
    Package package = CUSP_TRY(package_header(std::move(docs)));
    if (take(";")) {
      if (result_.package)
        return sources_.fail(keyword,
                             fmt::format("this file already declares the package {}; write `package {} {{ … }}` "
                                         "to define a second one here",
                                         result_.package->name.to_string(), package.name.to_string()));
      if (!first) return sources_.fail(keyword, "the package declaration must come first in the file; move it up");
      result_.package = std::move(package);
      return {};
    }
    if (!at("{")) return expected("`;` or `{` after the package's name");
    package.body = token().span;
    ++at_;
    while (!at("}")) CUSP_TRY(top_item(package.items, false));
    package.body.end = token().span.end;
    ++at_;
    result_.nested.push_back(std::move(package));
    return {};
  }

  Result<TopUse> top_use() {
    ++at_;
    TopUse use;
    use.from = CUSP_TRY(path());
    if (at("."))
      return sources_.fail(token().span,
                           "types are used inside an interface or world; move this `use` into one, or end "
                           "it here to use the interface under its name in this file");
    if (take("as")) use.as = CUSP_TRY(id("a name"));
    CUSP_TRY(expect(";"));
    return use;
  }

  // ---- interfaces ----

  Result<void> interface_body(Interface& interface) {
    CUSP_TRY(expect("{"));
    while (!take("}")) {
      Attributes attributes = CUSP_TRY(this->attributes());
      InterfaceItem item;
      if (at("use")) {
        item.kind = InterfaceItem::Kind::Use;
        item.use = CUSP_TRY(use(std::move(attributes)));
      } else if (at_type_item()) {
        item.kind = InterfaceItem::Kind::Type;
        item.type = CUSP_TRY(type_item(std::move(attributes)));
      } else {
        if (token().kind != TokenKind::Identifier && !(token().kind == TokenKind::Keyword && at(":", 1)))
          return expected("a type, a function, `use` or `}`");
        item.kind = InterfaceItem::Kind::Func;
        item.func = CUSP_TRY(named_func(std::move(attributes)));
      }
      interface.items.push_back(std::move(item));
    }
    return {};
  }

  bool at_type_item() const {
    bool keyword = at("type") || at("record") || at("variant") || at("enum") || at("flags") || at("resource");
    return keyword && !at(":", 1); // a function of that name, which id() says how to write
  }

  Result<Use> use(Attributes attributes) {
    ++at_;
    Use use;
    use.attributes = std::move(attributes);
    use.from = CUSP_TRY(path());
    if (!at(".")) return expected("`.{` and the names of the types to use");
    ++at_;
    CUSP_TRY(expect("{"));
    while (!take("}")) {
      Use::Item item;
      item.name = CUSP_TRY(id("the name of a type"));
      if (take("as")) item.as = CUSP_TRY(id("a name"));
      use.items.push_back(item);
      if (!take(",") && !at("}")) return expected("`,` or `}`");
    }
    if (use.items.empty()) return sources_.fail(use.from.span, "this `use` names no type; name one or remove it");
    CUSP_TRY(expect(";"));
    return use;
  }

  Result<Func> named_func(Attributes attributes) {
    Func func;
    func.attributes = std::move(attributes);
    func.name = CUSP_TRY(id("the function's name"));
    CUSP_TRY(expect(":"));
    CUSP_TRY(func_type(func));
    CUSP_TRY(expect(";"));
    return func;
  }

  // 'async'? 'func' params result
  Result<void> func_type(Func& func) {
    func.is_async = take("async");
    if (at("static"))
      return sources_.fail(token().span, func.is_async ? "write `static async func`, in this order"
                                                       : "`static` belongs to functions of a resource; remove it");
    CUSP_TRY(expect("func"));
    return signature(func);
  }
  Result<void> signature(Func& func) {
    CUSP_TRY(expect("("));
    while (!take(")")) {
      Param param;
      param.name = CUSP_TRY(id("the parameter's name"));
      CUSP_TRY(expect(":"));
      param.type = CUSP_TRY(type(0));
      func.params.push_back(std::move(param));
      if (!take(",") && !at(")")) return expected("`,` or `)`");
    }
    if (!take("->")) return {};
    if (at("("))
      return sources_.fail(token().span,
                           "a function has one result; return a tuple or a record instead of named results");
    func.result = CUSP_TRY(type(0));
    return {};
  }

  // ---- type definitions ----

  Result<TypeDef> type_item(Attributes attributes) {
    TypeDef def;
    def.attributes = std::move(attributes);
    std::string_view keyword = token().text;
    ++at_;
    def.name = CUSP_TRY(id(fmt::format("the {}'s name", keyword)));
    if (keyword == "type") {
      def.form = DefForm::Alias;
      CUSP_TRY(expect("="));
      def.alias = CUSP_TRY(type(0));
      CUSP_TRY(expect(";"));
      return def;
    }
    if (keyword == "resource") {
      def.form = DefForm::Resource;
      CUSP_TRY(resource_body(def));
      return def;
    }
    def.form = keyword == "record"    ? DefForm::Record
               : keyword == "variant" ? DefForm::Variant
               : keyword == "enum"    ? DefForm::Enum
                                      : DefForm::Flags;
    CUSP_TRY(members(def));
    if (def.members.empty() && def.form != DefForm::Record && def.form != DefForm::Flags)
      return sources_.fail(def.name.span,
                           fmt::format("{} `{}` has no cases; give it one at least", keyword, def.name.name));
    return def;
  }

  Result<void> members(TypeDef& def) {
    CUSP_TRY(expect("{"));
    while (!take("}")) {
      Member member;
      member.docs = lexed_.docs[at_];
      if (at("@")) return sources_.fail(token().span, "fields and cases cannot be gated; gate the whole type");
      member.name = CUSP_TRY(id(def.form == DefForm::Record ? "a field's name" : "a case's name"));
      if (def.form == DefForm::Record) {
        CUSP_TRY(expect(":"));
        member.type = CUSP_TRY(type(0));
      } else if (def.form == DefForm::Variant && take("(")) {
        member.type = CUSP_TRY(type(0));
        CUSP_TRY(expect(")"));
      }
      def.members.push_back(std::move(member));
      if (!take(",") && !at("}")) return expected("`,` or `}`");
    }
    return {};
  }

  Result<void> resource_body(TypeDef& def) {
    if (take(";")) return {};
    if (!at("{")) return expected("`;` or `{` after the resource's name");
    ++at_;
    while (!take("}")) {
      Func func;
      func.attributes = CUSP_TRY(attributes());
      if (at("constructor") && !at(":", 1)) {
        func.name = {token().text, token().span};
        func.is_constructor = true;
        ++at_;
        CUSP_TRY(signature(func));
      } else {
        func.name = CUSP_TRY(id("a function's name, `constructor` or `}`"));
        CUSP_TRY(expect(":"));
        func.is_static = take("static");
        CUSP_TRY(func_type(func));
      }
      CUSP_TRY(expect(";"));
      def.functions.push_back(std::move(func));
    }
    return {};
  }

  // ---- worlds ----

  Result<void> world_body(World& world) {
    CUSP_TRY(expect("{"));
    while (!take("}")) {
      Attributes attributes = CUSP_TRY(this->attributes());
      WorldItem item;
      if (at("import") || at("export")) {
        item.kind = WorldItem::Kind::Extern;
        item.external = CUSP_TRY(external(std::move(attributes)));
      } else if (at("use")) {
        item.kind = WorldItem::Kind::Use;
        item.use = CUSP_TRY(use(std::move(attributes)));
      } else if (at("include")) {
        item.kind = WorldItem::Kind::Include;
        item.include = CUSP_TRY(include(std::move(attributes)));
      } else if (at_type_item()) {
        item.kind = WorldItem::Kind::Type;
        item.type = CUSP_TRY(type_item(std::move(attributes)));
      } else {
        return expected("`import`, `export`, `use`, `include`, a type or `}`");
      }
      world.items.push_back(std::move(item));
    }
    return {};
  }

  Result<Extern> external(Attributes attributes) {
    Extern item;
    item.attributes = std::move(attributes);
    item.is_export = at("export");
    ++at_;
    // `a:b/c` has no blank after its colon; `a: b` and `a:func()` are a plain name with what it stands for.
    bool named = token().kind == TokenKind::Identifier && at(":", 1);
    if (named) {
      const Token& colon = token(1);
      const Token& after = token(2);
      bool joined = colon.span.end == after.span.begin && colon.span.begin == token().span.end;
      if (after.kind == TokenKind::Identifier && joined) named = false;
    }
    if (token().kind == TokenKind::Keyword && at(":", 1)) CUSP_TRY(id("a name")); // says how to escape it
    if (!named) {
      item.kind = Extern::Kind::Path;
      item.path = CUSP_TRY(path());
      CUSP_TRY(expect(";"));
      return item;
    }
    item.name = CUSP_TRY(id("a name"));
    ++at_;
    if (take("interface")) {
      item.kind = Extern::Kind::Interface;
      item.interface.name = item.name;
      CUSP_TRY(interface_body(item.interface));
      return item;
    }
    if (at("func") || at("async")) {
      item.kind = Extern::Kind::Func;
      item.func.name = item.name;
      CUSP_TRY(func_type(item.func));
    } else if (token().kind == TokenKind::Identifier) {
      item.kind = Extern::Kind::NamedPath;
      item.path = CUSP_TRY(path());
    } else {
      return expected("`func`, `async func`, `interface` or the name of an interface");
    }
    CUSP_TRY(expect(";"));
    return item;
  }

  Result<Include> include(Attributes attributes) {
    ++at_;
    Include include;
    include.attributes = std::move(attributes);
    include.from = CUSP_TRY(path());
    if (take("with")) {
      CUSP_TRY(expect("{"));
      while (!take("}")) {
        Include::Rename rename;
        rename.from = CUSP_TRY(id("the name to replace"));
        CUSP_TRY(expect("as"));
        rename.to = CUSP_TRY(id("the new name"));
        include.renames.push_back(rename);
        if (!take(",") && !at("}")) return expected("`,` or `}`");
      }
      take(";");
      return include;
    }
    CUSP_TRY(expect(";"));
    return include;
  }

  // ---- types ----

  Result<Type> type(unsigned depth) {
    if (depth > kMaxTypeNesting) return sources_.fail(token().span, "types are nested too deeply; name a part of it");
    Type result;
    result.span = token().span;
    const Token& next = token();
    if (next.kind == TokenKind::Identifier) {
      result.form = TypeForm::Name;
      result.name = CUSP_TRY(id("a type"));
      return result;
    }
    if (next.kind != TokenKind::Keyword) return expected("a type");
    if (auto primitive = parse_primitive(next.text)) {
      result.primitive = *primitive;
      ++at_;
      return result;
    }
    std::string_view word = next.text;
    ++at_;
    if (word == "tuple") CUSP_TRY(arguments(result, TypeForm::Tuple, 1, ~0u, depth));
    else if (word == "list") CUSP_TRY(list(result, depth));
    else if (word == "option") CUSP_TRY(arguments(result, TypeForm::Option, 1, 1, depth));
    else if (word == "result") CUSP_TRY(arguments(result, TypeForm::Result, 0, 2, depth));
    else if (word == "map") CUSP_TRY(arguments(result, TypeForm::Map, 2, 2, depth));
    else if (word == "stream") CUSP_TRY(arguments(result, TypeForm::Stream, 0, 1, depth));
    else if (word == "future") CUSP_TRY(arguments(result, TypeForm::Future, 0, 1, depth));
    else if (word == "borrow" || word == "own") {
      result.form = word == "own" ? TypeForm::Own : TypeForm::Borrow;
      CUSP_TRY(expect("<"));
      result.name = CUSP_TRY(id("the name of a resource"));
      CUSP_TRY(expect(">"));
    } else {
      --at_;
      return expected("a type");
    }
    result.span.end = lexed_.tokens[at_ - 1].span.end;
    return result;
  }

  Result<void> arguments(Type& result, TypeForm form, unsigned least, unsigned most, unsigned depth) {
    result.form = form;
    if (least == 0 && !at("<")) return {};
    CUSP_TRY(expect("<"));
    while (!take(">")) {
      if (result.arguments.size() == most) return expected("`>`");
      if (form == TypeForm::Result && at("_") && result.arguments.empty()) {
        ++at_;
        if (!at(",")) return expected("`,` and the type of the error");
        result.arguments.push_back(nullptr);
      } else {
        result.arguments.push_back(std::make_unique<Type>(CUSP_TRY(type(depth + 1))));
      }
      if (!take(",") && !at(">")) return expected("`,` or `>`");
    }
    if (result.arguments.size() < std::max(least, 1u)) {
      --at_;
      return expected("a type");
    }
    return {};
  }

  Result<void> list(Type& result, unsigned depth) {
    result.form = TypeForm::List;
    CUSP_TRY(expect("<"));
    result.arguments.push_back(std::make_unique<Type>(CUSP_TRY(type(depth + 1))));
    if (take(",") && !at(">")) {
      const Token& length = token();
      auto [end, error] = std::from_chars(length.text.data(), length.text.data() + length.text.size(), result.length);
      if (length.kind != TokenKind::Integer || error != std::errc() || result.length == 0)
        return expected("the length of the list, from 1 to 4294967295");
      ++at_;
      result.form = TypeForm::FixedList;
    }
    CUSP_TRY(expect(">"));
    return {};
  }

  const Sources& sources_;
  Lexed lexed_;
  std::size_t at_ = 0;
  File result_;
};

} // namespace
} // namespace syntax

Result<syntax::File> parse_file(const Sources& sources, std::uint32_t file) {
  Lexed lexed = CUSP_TRY(lex(sources, file));
  return syntax::Parser(sources, file, std::move(lexed)).run();
}

} // namespace cusp::wit
