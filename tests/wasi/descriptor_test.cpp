// The file layer: nothing leaves the directory, whoever asks; names, slashes, rights and places are what the faces promise.
#include "wasi/filesystem/descriptor.h"

#include <set>

#include <fcntl.h>
#include <sys/stat.h>

#include "wasi/scratch.h"

namespace cusp::wasi {
namespace {

constexpr auto kRead = DescriptorFlags::Read;
constexpr auto kBoth = DescriptorFlags::Read | DescriptorFlags::Write;

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(const std::vector<std::uint8_t>& from) { return {from.begin(), from.end()}; }

template <class T> FileError error(const FileResult<T>& result) {
  EXPECT_FALSE(result) << "it succeeded";
  return result ? FileError::Io : result.error();
}

// Every test runs both ways: directly, and on the pool with this fiber suspended.
class Files : public testing::TestWithParam<IoMode> {
protected:
  void with_root(std::function<void(Descriptor&)> body, bool writable = true) {
    on_loop([&] {
      Descriptor root(scratch.root(), writable, GetParam());
      body(root);
    });
  }
  Scratch scratch;
};
INSTANTIATE_TEST_SUITE_P(Modes, Files, testing::Values(IoMode::Direct, IoMode::Pool));

TEST_P(Files, ReadWriteAppend) {
  with_root([&](Descriptor& root) {
    auto file = root.open_at(PathFlags::None, "a", OpenFlags::Create, kBoth);
    ASSERT_TRUE(file);
    EXPECT_EQ((*file)->write(bytes("hello"), 0), 5u);
    EXPECT_EQ((*file)->append(bytes(" world")), 6u);
    EXPECT_EQ(text(*(*file)->read(100, 3)), "lo world");
    std::uint8_t into[4];
    EXPECT_EQ((*file)->read_into(into, 9), 2u);
    EXPECT_EQ((*file)->read_into(into, 11), 0u);
    EXPECT_EQ(error((*file)->write(bytes("x"), ~std::uint64_t{0})), FileError::Invalid); // not an append
    EXPECT_EQ(scratch.read("a"), "hello world");
    EXPECT_TRUE((*file)->set_size(2));
    EXPECT_EQ((*file)->status()->st_size, 2);
  });
}

TEST_P(Files, HowAFileIsOpenIsKept) {
  scratch.write("a", "text");
  with_root([](Descriptor& root) {
    auto reader = root.open_at(PathFlags::None, "a", OpenFlags::None, kRead);
    ASSERT_TRUE(reader);
    EXPECT_EQ(error((*reader)->write(bytes("x"), 0)), FileError::BadDescriptor);
    EXPECT_EQ(error((*reader)->append(bytes("x"))), FileError::BadDescriptor);
    EXPECT_EQ(error((*reader)->set_size(1)), FileError::Invalid);
    EXPECT_TRUE((*reader)->set_times(NewTimestamp(timespec{1, 2}), NewTimestamp(timespec{3, 4})));
    EXPECT_EQ((*reader)->status()->st_mtim.tv_sec, 3);
    auto writer = root.open_at(PathFlags::None, "a", OpenFlags::None, DescriptorFlags::Write);
    ASSERT_TRUE(writer);
    EXPECT_EQ(error((*writer)->read(1, 0)), FileError::BadDescriptor);
    EXPECT_EQ(error(root.open_at(PathFlags::None, "a", OpenFlags::None, kRead | DescriptorFlags::DataIntegritySync)),
              FileError::Unsupported);
  });
}

TEST_P(Files, NothingLeavesTheDirectory) {
  std::filesystem::create_directory(scratch.path / "d");
  std::filesystem::create_symlink("/etc", scratch.path / "absolute");
  std::filesystem::create_symlink("../../../../etc", scratch.path / "d/up");
  std::filesystem::create_symlink("d", scratch.path / "inside");
  scratch.write("d/f", "x");
  with_root([](Descriptor& root) {
    for (const char* path :
         {"..", "../x", "/etc/passwd", "absolute/passwd", "d/up/passwd", "d/../../x", "inside/up/passwd"})
      EXPECT_EQ(error(root.open_at(PathFlags::SymlinkFollow, path, OpenFlags::None, kRead)), FileError::NotPermitted)
          << path;
    for (const char* path : {"..", "/tmp/x", "d/up/x", "absolute/x", "d/../../x"}) {
      EXPECT_EQ(error(root.create_directory_at(path)), FileError::NotPermitted) << path;
      EXPECT_EQ(error(root.unlink_file_at(path)), FileError::NotPermitted) << path;
      EXPECT_EQ(error(root.symlink_at("t", path)), FileError::NotPermitted) << path;
      EXPECT_EQ(error(root.rename_at("d/f", root, path)), FileError::NotPermitted) << path;
      EXPECT_EQ(error(root.link_at(PathFlags::None, path, root, "y")), FileError::NotPermitted) << path;
    }
    EXPECT_TRUE(root.open_at(PathFlags::SymlinkFollow, "inside/../d/f", OpenFlags::None, kRead));
    EXPECT_EQ(error(root.readlink_at("absolute")), FileError::NotPermitted);
    EXPECT_EQ(error(root.symlink_at("/etc", "new")), FileError::NotPermitted);
  });
}

TEST_P(Files, PathsThatAreNone) {
  with_root([](Descriptor& root) {
    using namespace std::string_view_literals;
    EXPECT_EQ(error(root.open_at(PathFlags::None, "a\0b"sv, OpenFlags::Create, kRead)), FileError::Invalid);
    EXPECT_EQ(error(root.unlink_file_at("a\0b"sv)), FileError::Invalid);
    EXPECT_EQ(error(root.open_at(PathFlags::None, "", OpenFlags::None, kRead)), FileError::NoEntry);
    EXPECT_EQ(error(root.unlink_file_at("")), FileError::NoEntry);
    EXPECT_EQ(error(root.remove_directory_at(".")), FileError::Invalid);
  });
}

TEST_P(Files, ASlashAtTheEndAsksForADirectory) {
  std::filesystem::create_directory(scratch.path / "d");
  scratch.write("f", "x");
  with_root([](Descriptor& root) {
    EXPECT_EQ(error(root.unlink_file_at("f/")), FileError::NotDirectory);
    EXPECT_EQ(error(root.unlink_file_at("d/")), FileError::IsDirectory);
    EXPECT_EQ(error(root.unlink_file_at("absent/")), FileError::NoEntry);
    EXPECT_EQ(error(root.symlink_at("t", "absent/")), FileError::NoEntry);
    EXPECT_EQ(error(root.symlink_at("t", "d/")), FileError::Exist);
    EXPECT_EQ(error(root.symlink_at("t", "f/")), FileError::NotDirectory);
    EXPECT_EQ(error(root.link_at(PathFlags::None, "f", root, "absent/")), FileError::NoEntry);
    EXPECT_EQ(error(root.link_at(PathFlags::None, "f/", root, "g")), FileError::NotDirectory);
    EXPECT_EQ(error(root.rename_at("f/", root, "g")), FileError::NotDirectory);
    EXPECT_TRUE(root.rename_at("d/", root, "e/"));
    EXPECT_TRUE(root.remove_directory_at("e/"));
  });
}

TEST_P(Files, AReadOnlyTreeStaysAsItIs) {
  std::filesystem::create_directory(scratch.path / "d");
  scratch.write("f", "kept");
  with_root(
      [](Descriptor& root) {
        EXPECT_EQ(error(root.open_at(PathFlags::None, "n", OpenFlags::Create, kRead)), FileError::NotPermitted);
        EXPECT_EQ(error(root.open_at(PathFlags::None, "f", OpenFlags::None, kBoth)), FileError::NotPermitted);
        EXPECT_EQ(error(root.open_at(PathFlags::None, "f", OpenFlags::Truncate, kRead)), FileError::NotPermitted);
        EXPECT_EQ(error(root.rename_at("f", root, "g")), FileError::NotPermitted);
        EXPECT_EQ(error(root.unlink_file_at("f")), FileError::NotPermitted);
        auto below = root.open_at(PathFlags::None, "d", OpenFlags::Directory, kRead);
        ASSERT_TRUE(below);
        EXPECT_EQ(error((*below)->create_directory_at("x")), FileError::NotPermitted);
        auto file = root.open_at(PathFlags::None, "f", OpenFlags::None, kRead);
        ASSERT_TRUE(file);
        EXPECT_EQ(error((*file)->set_times({}, {})), FileError::NotPermitted);
      },
      false);
  EXPECT_EQ(scratch.read("f"), "kept");
}

TEST_P(Files, PlacesInADirectory) {
  for (int i = 0; i < 50; ++i) scratch.write("file-" + std::to_string(i), "x");
  with_root([](Descriptor& root) {
    auto made = root.read_directory();
    ASSERT_TRUE(made);
    DirectoryEntryStream& entries = **made;
    std::vector<std::pair<std::uint64_t, std::string>> seen;
    for (auto record = entries.peek(); record && *record; record = entries.peek()) {
      EXPECT_EQ((*entries.peek())->name, (*record)->name); // looking takes nothing
      EXPECT_NE((*record)->inode, 0u);
      seen.emplace_back(entries.place(), (*record)->name);
      entries.advance();
    }
    EXPECT_EQ(seen.size(), 52u); // "." and ".." among them
    for (std::size_t i : {51u, 0u, 30u}) {
      EXPECT_TRUE(entries.seek(seen[i].first));
      EXPECT_EQ((*entries.peek())->name, seen[i].second);
    }
    EXPECT_TRUE(root.unlink_file_at("file-7"));
    EXPECT_TRUE(entries.seek(0));
    std::set<std::string> names;
    for (auto entry = entries.next(); entry && *entry; entry = entries.next()) names.insert((*entry)->name);
    EXPECT_EQ(names.size(), 49u);
    EXPECT_FALSE(names.contains("."));
  });
}

TEST_P(Files, ANameThatIsNotUtf8HidesNoOther) {
  scratch.write("a\xff", "x");
  scratch.write("b", "x");
  with_root([](Descriptor& root) {
    auto entries = root.read_directory();
    ASSERT_TRUE(entries);
    int good = 0, bad = 0;
    for (auto entry = (*entries)->next(); !entry || *entry; entry = (*entries)->next()) (entry ? good : bad)++;
    EXPECT_EQ(good, 1);
    EXPECT_EQ(bad, 1);
  });
}

} // namespace
} // namespace cusp::wasi
