// One connection, used by one call at a time: SQLite writes one at a time anyway. Write-ahead log, so that other processes may read and write
// the same file meanwhile; a lock that somebody holds is waited for.
#include <mutex>

#include <fmt/format.h>
#include <sqlite3.h>

#include "wasi/keyvalue/store.h"

namespace cusp::wasi {

namespace {

constexpr int kPatienceMs = 5000; // with other processes

struct Closing {
  void operator()(sqlite3* connection) const { sqlite3_close(connection); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Connection = std::unique_ptr<sqlite3, Closing>;
using Prepared = std::unique_ptr<sqlite3_stmt, Closing>;

// One use of a prepared statement: binds, steps, and leaves it clean for the next.
class Use {
public:
  explicit Use(const Prepared& statement) : statement_(statement.get()) {}
  Use(const Use&) = delete;
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  // SQLITE_STATIC: what is bound lives longer than the use.
  Use& text(int at, std::string_view value) {
    sqlite3_bind_text64(statement_, at, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Use& blob(int at, std::span<const std::uint8_t> value) {
    static const std::uint8_t kEmpty = 0; // a null pointer would bind NULL
    sqlite3_bind_blob64(statement_, at, value.empty() ? &kEmpty : value.data(), value.size(), SQLITE_STATIC);
    return *this;
  }
  Use& number(int at, std::uint64_t value) {
    sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value & ~(std::uint64_t{1} << 63)));
    return *this;
  }
  int step() { return sqlite3_step(statement_); }
  Bytes blob_column() const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, 0));
    return data ? Bytes(data, data + sqlite3_column_bytes(statement_, 0)) : Bytes();
  }
  std::string text_column() const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, 0));
    return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, 0))) : std::string();
  }

private:
  sqlite3_stmt* statement_;
};

class SqliteStore final : public KeyValueStore {
public:
  static base::Result<std::shared_ptr<KeyValueStore>> open(const std::string& path);
  bool blocks() const override { return true; }

  StoreResult<std::optional<Bytes>> get(std::string_view key) override {
    std::lock_guard lock(mutex_);
    return read(key);
  }
  StoreResult<void> set(std::string_view key, std::span<const std::uint8_t> value) override {
    std::lock_guard lock(mutex_);
    return write(key, value);
  }
  StoreResult<void> erase(std::string_view key) override {
    std::lock_guard lock(mutex_);
    return finish(Use(erase_).text(1, key).step());
  }
  StoreResult<std::vector<std::string>> keys(const std::optional<std::string>& after, std::uint64_t skip,
                                             std::size_t limit) override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    Use use(after ? keys_after_ : keys_);
    use.number(1, limit).number(2, skip);
    if (after) use.text(3, *after);
    int status;
    while ((status = use.step()) == SQLITE_ROW) found.push_back(use.text_column());
    if (auto done = finish(status); !done) return std::unexpected(std::move(done).error());
    return found;
  }
  StoreResult<void> update(std::string_view key, const Change& change) override {
    std::lock_guard lock(mutex_);
    // Immediate: it holds the write lock before it reads, so that no other process comes between.
    if (auto begun = finish(Use(begin_).step()); !begun) return begun;
    auto done = change_in_transaction(key, change);
    if (done) done = finish(Use(commit_).step());
    if (!done) (void)Use(rollback_).step();
    return done;
  }

private:
  StoreResult<std::optional<Bytes>> read(std::string_view key) {
    Use use(get_);
    int status = use.text(1, key).step();
    if (status == SQLITE_ROW) return use.blob_column();
    if (auto done = finish(status); !done) return std::unexpected(std::move(done).error());
    return std::nullopt;
  }
  StoreResult<void> write(std::string_view key, std::span<const std::uint8_t> value) {
    return finish(Use(set_).text(1, key).blob(2, value).step());
  }
  StoreResult<void> change_in_transaction(std::string_view key, const Change& change) {
    auto current = read(key);
    if (!current) return std::unexpected(std::move(current).error());
    auto changed = change(*current);
    if (!changed) return std::unexpected(std::move(changed).error());
    return write(key, *changed);
  }
  StoreResult<void> finish(int status) {
    if (status == SQLITE_DONE) return {};
    return std::unexpected(StoreError{fmt::format("the store failed: {}", sqlite3_errmsg(connection_.get()))});
  }
  bool prepare();

  std::mutex mutex_;
  Connection connection_;
  Prepared get_, set_, erase_, keys_, keys_after_, begin_, commit_, rollback_;
};

bool SqliteStore::prepare() {
  auto one = [&](Prepared& into, const char* text) {
    sqlite3_stmt* made = nullptr;
    int status = sqlite3_prepare_v3(connection_.get(), text, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    into.reset(made);
    return status == SQLITE_OK;
  };
  return one(get_, "SELECT value FROM pairs WHERE key = ?1") &&
         one(set_,
             "INSERT INTO pairs (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value") &&
         one(erase_, "DELETE FROM pairs WHERE key = ?1") &&
         one(keys_, "SELECT key FROM pairs ORDER BY key LIMIT ?1 OFFSET ?2") &&
         one(keys_after_, "SELECT key FROM pairs WHERE key > ?3 ORDER BY key LIMIT ?1 OFFSET ?2") &&
         one(begin_, "BEGIN IMMEDIATE") && one(commit_, "COMMIT") && one(rollback_, "ROLLBACK");
}

base::Result<std::shared_ptr<KeyValueStore>> SqliteStore::open(const std::string& path) {
  auto store = std::make_shared<SqliteStore>();
  sqlite3* raw = nullptr;
  // Not a URI, whatever its name looks like; our own mutex orders the calls.
  int status =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  store->connection_.reset(raw);
  if (status == SQLITE_OK) {
    sqlite3_busy_timeout(raw, kPatienceMs);
    status = sqlite3_exec(raw,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                          "CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
                          nullptr, nullptr, nullptr);
  }
  if (status == SQLITE_OK && store->prepare()) return store;
  std::string why = raw ? sqlite3_errmsg(raw) : "there is no memory";
  return base::fail(base::ErrorCode::Io, fmt::format("cannot keep a bucket in {}: {}", path, why));
}

} // namespace

base::Result<std::shared_ptr<KeyValueStore>> open_sqlite_store(const std::string& path) {
  return SqliteStore::open(path);
}

} // namespace cusp::wasi
