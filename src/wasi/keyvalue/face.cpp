// wasi:keyvalue in the two drafts that are in use: store, atomics, batch. They differ in cursors, in the numbers that are incremented and in the
// shape of get-many; draft2 has compare-and-swap. A store that may block is asked on the pool, and the guest's fiber waits.
#include "wasi/context.h"
#include "wasi/keyvalue/store.h"
#include "wasi/linker.h"

namespace cusp::wasi {

namespace {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

constexpr std::size_t kKeysPerPage = 1000;

struct Bucket {
  std::shared_ptr<KeyValueStore> store;
};
// What a value was when it was looked at.
struct Cas {
  std::shared_ptr<KeyValueStore> store;
  std::string key;
  std::optional<Bytes> seen;
};

using Error = std::variant<std::monostate, std::monostate, std::string>; // no-such-store, access-denied, other
template <class T> using KeyValueResult = std::expected<T, Error>;
using CasError = std::variant<Error, Own<Cas>>; // store-error, cas-failed

template <class Cursor> struct KeyResponse {
  std::vector<std::string> keys;
  std::optional<Cursor> cursor;
};
using NumberedResponse = KeyResponse<std::uint64_t>;
CUSP_RECORD(NumberedResponse, keys, cursor)
using NamedResponse = KeyResponse<std::string>;
CUSP_RECORD(NamedResponse, keys, cursor)

std::unexpected<Error> failed(StoreError&& error) {
  return std::unexpected(Error(std::in_place_index<2>, std::move(error.message)));
}

// `work` is about host memory only: the guest's is not looked at while its fiber waits.
template <class Work> auto on_store(KeyValueStore& store, Work work) {
  using Result = decltype(work(store));
  auto run = [&]() -> KeyValueResult<typename Result::value_type> {
    Result result = work(store);
    if (!result) return failed(std::move(result).error());
    if constexpr (std::is_void_v<typename Result::value_type>) return {};
    else return *std::move(result);
  };
  if (!store.blocks()) return run();
  std::optional<decltype(run())> outcome;
  loop::EventLoop::current()->run_blocking([&] { outcome = run(); });
  return *std::move(outcome);
}

KeyValueResult<Own<Bucket>> open(CallContext& cx, std::string identifier) {
  const auto& buckets = cx.host<Context>().config->buckets;
  auto at = buckets.find(identifier.empty() ? "default" : identifier);
  if (at == buckets.end()) return std::unexpected(Error(std::in_place_index<0>));
  return canon::make_own<Bucket>(at->second);
}

KeyValueResult<std::optional<Bytes>> get(Borrow<Bucket> self, std::string key) {
  return on_store(*self->store, [&](KeyValueStore& store) { return store.get(key); });
}
KeyValueResult<void> set(Borrow<Bucket> self, std::string key, Bytes value) {
  return on_store(*self->store, [&](KeyValueStore& store) { return store.set(key, value); });
}
KeyValueResult<void> erase(Borrow<Bucket> self, std::string key) {
  return on_store(*self->store, [&](KeyValueStore& store) { return store.erase(key); });
}
KeyValueResult<bool> exists(Borrow<Bucket> self, std::string key) {
  return on_store(*self->store, [&](KeyValueStore& store) -> StoreResult<bool> {
    auto value = store.get(key);
    if (!value) return std::unexpected(std::move(value).error());
    return value->has_value();
  });
}

// Draft: the cursor is how many keys there were before. Draft 2: the last key.
KeyValueResult<NumberedResponse> list_numbered(Borrow<Bucket> self, std::optional<std::uint64_t> cursor) {
  const std::uint64_t skip = cursor.value_or(0);
  auto keys =
      on_store(*self->store, [&](KeyValueStore& store) { return store.keys(std::nullopt, skip, kKeysPerPage); });
  if (!keys) return std::unexpected(std::move(keys).error());
  const bool full = keys->size() == kKeysPerPage;
  return NumberedResponse{*std::move(keys), full ? std::optional(skip + kKeysPerPage) : std::nullopt};
}
KeyValueResult<NamedResponse> list_named(Borrow<Bucket> self, std::optional<std::string> cursor) {
  auto keys = on_store(*self->store, [&](KeyValueStore& store) { return store.keys(cursor, 0, kKeysPerPage); });
  if (!keys) return std::unexpected(std::move(keys).error());
  std::optional<std::string> last;
  if (keys->size() == kKeysPerPage) last = keys->back();
  return NamedResponse{*std::move(keys), std::move(last)};
}

template <class Number> KeyValueResult<Number> add(Borrow<Bucket> bucket, std::string key, Number delta) {
  return on_store(*bucket->store, [&](KeyValueStore& store) { return increment(store, key, delta); });
}

KeyValueResult<Own<Cas>> make_cas(Borrow<Bucket> bucket, std::string key) {
  auto seen = on_store(*bucket->store, [&](KeyValueStore& store) { return store.get(key); });
  if (!seen) return std::unexpected(std::move(seen).error());
  return canon::make_own<Cas>(bucket->store, std::move(key), *std::move(seen));
}
KeyValueResult<std::optional<Bytes>> current(Borrow<Cas> self) { return self->seen; }

std::expected<void, CasError> swap(Own<Cas> cas, Bytes value) {
  std::optional<std::optional<Bytes>> changed; // what it is instead, when it is not what was seen
  auto done = on_store(*cas->store, [&](KeyValueStore& store) {
    return store.update(cas->key, [&](const std::optional<Bytes>& now) -> StoreResult<Bytes> {
      if (now == cas->seen) return std::move(value);
      changed = now;
      return std::unexpected(StoreError{});
    });
  });
  if (done) return {};
  if (!changed) return std::unexpected(CasError(std::in_place_index<0>, std::move(done).error()));
  cas->seen = *std::move(changed);
  return std::unexpected(CasError(std::in_place_index<1>, std::move(cas)));
}

using Pair = std::tuple<std::string, Bytes>;
using MaybePair = std::optional<Pair>;
using PairOfMaybe = std::tuple<std::string, std::optional<Bytes>>;

MaybePair pair_of(std::string key, std::optional<Bytes> value, MaybePair*) {
  if (!value) return std::nullopt;
  return Pair(std::move(key), *std::move(value));
}
PairOfMaybe pair_of(std::string key, std::optional<Bytes> value, PairOfMaybe*) {
  return {std::move(key), std::move(value)};
}

template <class Shape>
KeyValueResult<std::vector<Shape>> get_many(Borrow<Bucket> bucket, std::vector<std::string> keys) {
  return on_store(*bucket->store, [&](KeyValueStore& store) -> StoreResult<std::vector<Shape>> {
    std::vector<Shape> found;
    for (std::string& key : keys) {
      auto value = store.get(key);
      if (!value) return std::unexpected(std::move(value).error());
      found.push_back(pair_of(std::move(key), *std::move(value), static_cast<Shape*>(nullptr)));
    }
    return found;
  });
}
KeyValueResult<void> set_many(Borrow<Bucket> bucket, std::vector<Pair> pairs) {
  return on_store(*bucket->store, [&](KeyValueStore& store) -> StoreResult<void> {
    for (const auto& [key, value] : pairs)
      if (auto done = store.set(key, value); !done) return done;
    return {};
  });
}
KeyValueResult<void> delete_many(Borrow<Bucket> bucket, std::vector<std::string> keys) {
  return on_store(*bucket->store, [&](KeyValueStore& store) -> StoreResult<void> {
    for (const std::string& key : keys)
      if (auto done = store.erase(key); !done) return done;
    return {};
  });
}

canon::LinkerInstance& add_store(canon::Linker& linker, const std::string& version) {
  linker.instance("wasi:keyvalue/batch@" + version)
      .resource<Bucket>("bucket")
      .func("set-many", &set_many)
      .func("delete-many", &delete_many);
  return linker.instance("wasi:keyvalue/store@" + version)
      .resource<Bucket>("bucket")
      .func("open", &open)
      .func("[method]bucket.get", &get)
      .func("[method]bucket.set", &set)
      .func("[method]bucket.delete", &erase)
      .func("[method]bucket.exists", &exists);
}

} // namespace

void add_keyvalue(canon::Linker& linker) {
  add_store(linker, "0.2.0-draft").func("[method]bucket.list-keys", &list_numbered);
  linker.instance("wasi:keyvalue/batch@0.2.0-draft").func("get-many", &get_many<MaybePair>);
  linker.instance("wasi:keyvalue/atomics@0.2.0-draft")
      .resource<Bucket>("bucket")
      .func("increment", &add<std::uint64_t>);

  add_store(linker, "0.2.0-draft2").func("[method]bucket.list-keys", &list_named);
  linker.instance("wasi:keyvalue/batch@0.2.0-draft2").func("get-many", &get_many<PairOfMaybe>);
  linker.instance("wasi:keyvalue/atomics@0.2.0-draft2")
      .resource<Bucket>("bucket")
      .resource<Cas>("cas")
      .func("increment", &add<std::int64_t>)
      .func("[static]cas.new", &make_cas)
      .func("[method]cas.current", &current)
      .func("swap", &swap);
}

} // namespace cusp::wasi
