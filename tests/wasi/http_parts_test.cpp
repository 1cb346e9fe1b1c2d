// What guests set of HTTP messages: the parts of a request's target, and fields.
#include <gtest/gtest.h>

#include "wasi/http/fields.h"
#include "wasi/http/request_target.h"

namespace cusp::wasi {
namespace {

TEST(RequestTarget, TakesAuthoritiesThatTheSpecificationHas) {
  RequestTarget target;
  for (const char* good : {"1.2.3.4", "example.com:80", "user:pass%20@localhost:80", "[::]", "[::1]:443", "host:"})
    EXPECT_TRUE(target.set_authority(good)) << good;
  EXPECT_EQ(target.authority, "host:");
  for (const char* bad : {"", " ", "#", "::", ":@", "@@", "@:", "localhost:what", "bad-port:99999", "bad-\nhost",
                          "too-many-ports:80:80:80", "[::", "[::]x", "a/b"})
    EXPECT_FALSE(target.set_authority(bad)) << bad;
  EXPECT_EQ(target.authority, "host:"); // what is refused changes nothing
  EXPECT_TRUE(target.set_authority(std::nullopt));
  EXPECT_FALSE(target.authority);
}

TEST(RequestTarget, TakesPathsThatTheSpecificationHas) {
  RequestTarget target;
  for (const char* good : {"/", "/?a=b&c", "a/b", "?foo", "/\xc3\xa9"}) {
    EXPECT_TRUE(target.set_path_with_query(good)) << good;
    EXPECT_EQ(target.path_with_query, good);
  }
  EXPECT_TRUE(target.set_path_with_query(""));
  EXPECT_EQ(target.path_with_query, "/");
  for (const char* bad : {"/a b", "/a\nb", "/<", "/>", "/`", "/#x"})
    EXPECT_FALSE(target.set_path_with_query(bad)) << bad;
  EXPECT_FALSE(target.set_method("a b"));
  EXPECT_FALSE(target.set_scheme("bad\nscheme"));
  EXPECT_TRUE(target.set_scheme("coap+tcp"));
}

TEST(RequestTarget, IsSentOnlyWhenItIsWhole) {
  RequestTarget target;
  FieldList none;
  auto without = to_client_request(target, none);
  ASSERT_FALSE(without);
  EXPECT_EQ(http_case(without.error()), HttpCase::HttpRequestUriInvalid);
  ASSERT_TRUE(target.set_authority("localhost") && target.set_scheme("ftp"));
  EXPECT_EQ(http_case(to_client_request(target, none).error()), HttpCase::HttpProtocolError);
  ASSERT_TRUE(target.set_scheme("http"));
  auto whole = to_client_request(target, none);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->target, "/");
}

TEST(Fields, KeepTheNameThatTheFirstValueMade) {
  Fields fields(make_ref<FieldList>());
  EXPECT_EQ(fields.append("Foo", "1"), FieldProblem::None);
  EXPECT_EQ(fields.append("FOO", "2"), FieldProblem::None);
  EXPECT_EQ(fields.list().name(1), "Foo");
  EXPECT_EQ(fields.append("host", "x"), FieldProblem::Forbidden);
  EXPECT_EQ(fields.append("a b", "x"), FieldProblem::InvalidSyntax);
  Fields fixed(fields.shared(), true);
  EXPECT_EQ(fixed.append("bar", "x"), FieldProblem::Immutable);
}

TEST(Fields, AreLimitedByWhatTheyHold) {
  Fields fields(make_ref<FieldList>());
  std::string large(kMaxFieldBytes / 2, 'x');
  std::string_view values[] = {large};
  // What was removed does not count.
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(fields.set("a", values), FieldProblem::None);
    EXPECT_EQ(fields.remove("a"), FieldProblem::None);
  }
  EXPECT_EQ(fields.append("a", large), FieldProblem::None);
  EXPECT_EQ(fields.append("b", large), FieldProblem::SizeExceeded);
  EXPECT_EQ(fields.list().size(), 1u);
  EXPECT_EQ(fields.list().copy()->value(0), large);
}

} // namespace
} // namespace cusp::wasi
