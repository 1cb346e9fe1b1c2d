// Streams and futures between a real guest and the host.
#include "canon/async_guest.h"

namespace cusp::test {
namespace {

using Number = std::uint32_t();
using NumberOf = std::uint32_t(std::uint32_t);
using Open = Stream<std::uint8_t>(std::uint32_t, bool);

TEST_F(AsyncGuest, ReadsAStreamOfTheHosts) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<NumberOf>(instance, "sum", 100u);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 5050u);
    EXPECT_EQ(host.fed, 100u);
    EXPECT_TRUE(host.feeder_ended);
  });
}

TEST_F(AsyncGuest, TellsAWriterThatNobodyReadsAnyMore) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<NumberOf>(instance, "sip", 100u);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 3u);
    ASSERT_TRUE(instance.finish());
    EXPECT_EQ(host.fed, 3u); // what was taken, and no more
    EXPECT_TRUE(host.feeder_ended);
  });
}

TEST_F(AsyncGuest, WritesAStreamToAnAsyncHostFunction) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<NumberOf>(instance, "send", 24u);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 276u);
  });
}

TEST_F(AsyncGuest, IsDrivenByWhoeverReadsWhatItReturned) {
  with_instance([&](ComponentInstance& instance) {
    auto stream = call<Open>(instance, "open", 10u, false);
    ASSERT_TRUE(stream) << stream.error().to_string();
    std::vector<std::uint8_t> all;
    std::uint8_t room[4];
    for (;;) {
      auto got = stream->read(room);
      ASSERT_TRUE(got) << got.error().to_string();
      if (*got == 0) break;
      EXPECT_LE(*got, 4u);
      all.insert(all.end(), room, room + *got);
    }
    std::vector<std::uint8_t> expected(10);
    std::iota(expected.begin(), expected.end(), std::uint8_t{0});
    EXPECT_EQ(all, expected);
    EXPECT_TRUE(stream->is_closed());
  });
}

TEST_F(AsyncGuest, TellsAReaderThatTheGuestTrapped) {
  with_instance([&](ComponentInstance& instance) {
    auto stream = call<Open>(instance, "open", 10u, true);
    ASSERT_TRUE(stream);
    std::uint8_t room[16];
    auto first = stream->read(room);
    ASSERT_TRUE(first);
    EXPECT_EQ(*first, 10u);
    auto second = stream->read(room);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, base::ErrorCode::Trap);
    EXPECT_TRUE(instance.poisoned());
    EXPECT_FALSE(call<NumberOf>(instance, "call", 1u));
  });
}

TEST_F(AsyncGuest, LeavesAnEndHarmlessWhenItIsDoneWith) {
  with_instance([&](ComponentInstance& instance) {
    auto stream = call<Open>(instance, "open", 10u, false);
    ASSERT_TRUE(stream);
    ASSERT_TRUE(instance.reset());
    EXPECT_TRUE(stream->is_closed());
    std::uint8_t room[16];
    auto got = stream->read(room);
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 0u);
  });
}

TEST_F(AsyncGuest, EndsTheWaitOfACancelledReader) {
  with_instance([&](ComponentInstance& instance) {
    auto pair = make_stream<std::uint8_t>(instance);
    loop::Event ended;
    base::Result<std::uint32_t> got = 1u;
    auto& loop = loop::Fiber::current()->loop();
    loop::Fiber* reader = loop.spawn([&] {
      std::uint8_t room[4];
      got = pair.stream.read(room);
      ended.set();
    });
    loop::Fiber::yield();
    loop.cancel(reader);
    ended.wait();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, base::ErrorCode::Timeout);
    // Nothing of the operation is left: a write finds nobody.
    pair.stream.close();
    std::uint8_t byte = 1;
    auto written = pair.writer.write(std::span<std::uint8_t>(&byte, 1));
    ASSERT_TRUE(written);
    EXPECT_EQ(*written, 0u);
  });
}

TEST_F(AsyncGuest, RefusesASecondReadAtATime) {
  with_instance([&](ComponentInstance& instance) {
    auto pair = make_stream<std::uint8_t>(instance);
    std::uint8_t first_room = 0, second_room = 0;
    loop::Event ended;
    loop::Fiber::current()->loop().spawn([&] {
      auto got = pair.stream.read(std::span<std::uint8_t>(&first_room, 1));
      EXPECT_TRUE(got && *got == 1);
      ended.set();
    });
    loop::Fiber::yield();
    auto second = pair.stream.read(std::span<std::uint8_t>(&second_room, 1));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, base::ErrorCode::InvalidArgument);
    std::uint8_t byte = 9;
    EXPECT_TRUE(pair.writer.write(std::span<std::uint8_t>(&byte, 1)));
    ended.wait();
    EXPECT_EQ(first_room, 9);
  });
}

TEST_F(AsyncGuest, TellsWhatIsWantedAndWhatIsOffered) {
  with_instance([&](ComponentInstance& instance) {
    auto pair = make_stream<std::uint8_t>(instance);
    auto& loop = loop::Fiber::current()->loop();
    std::uint8_t room[5];
    loop::Event read, written;
    loop.spawn([&] {
      auto got = pair.stream.read(room);
      EXPECT_TRUE(got && *got == 3);
      read.set();
    });
    auto wanted = pair.writer.wanted(); // before anybody reads, and without giving anything
    ASSERT_TRUE(wanted);
    EXPECT_EQ(*wanted, 5u);
    std::uint8_t bytes[] = {1, 2, 3};
    EXPECT_TRUE(pair.writer.write(std::span<const std::uint8_t>(bytes)));
    read.wait();
    loop.spawn([&] {
      auto gave = pair.writer.write(std::span<const std::uint8_t>(bytes));
      EXPECT_TRUE(gave && *gave == 0); // what was only offered is still the writer's
      written.set();
    });
    auto offered = pair.stream.offered();
    ASSERT_TRUE(offered);
    EXPECT_EQ(*offered, 3u);
    pair.stream.close();
    written.wait();
    auto nobody = pair.writer.wanted();
    ASSERT_TRUE(nobody);
    EXPECT_EQ(*nobody, 0u);
  });
}

TEST_F(AsyncGuest, WaitsForFibersThatWorkAndNotForThoseThatAttend) {
  with_instance([&](ComponentInstance& instance) {
    bool worked = false, attended = false;
    auto pair = make_stream<std::uint8_t>(instance);
    ASSERT_TRUE(instance.spawn([&] {
      loop::Fiber::current()->loop().sleep_until(loop::Clock::now() + std::chrono::milliseconds(5));
      worked = true;
      std::uint8_t room[1];
      (void)pair.stream.read(room); // the guest's turn, which will not come
    }));
    ASSERT_TRUE(instance.attend([&] {
      loop::Fiber::current()->loop().sleep_until(loop::kNever);
      attended = true;
    }));
    EXPECT_FALSE(instance.is_idle());
    instance.settle();
    EXPECT_TRUE(worked);
    EXPECT_FALSE(attended);
    EXPECT_TRUE(instance.finish());
    EXPECT_TRUE(instance.is_idle());
    EXPECT_FALSE(attended);
    ASSERT_TRUE(instance.reset());
    EXPECT_TRUE(attended); // it was cancelled
  });
}

TEST_F(AsyncGuest, LetsTwoWaitWithoutWakingEachOther) {
  with_instance([&](ComponentInstance& instance) {
    auto first = make_stream<std::uint8_t>(instance), second = make_stream<std::uint8_t>(instance);
    auto& loop = loop::Fiber::current()->loop();
    auto now = loop::Clock::now();
    instance.slot().set_deadline((now + std::chrono::milliseconds(20)).time_since_epoch().count());
    ASSERT_TRUE(instance.attend([&] { loop.sleep_until(loop::kNever); })); // what they might wait for
    loop::Event ended;
    base::ErrorCode other = {};
    loop.spawn([&] {
      std::uint8_t room[1];
      auto got = second.stream.read(room);
      other = got ? base::ErrorCode{} : got.error().code;
      ended.set();
    });
    std::uint8_t room[1];
    auto got = first.stream.read(room);
    ended.wait();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, base::ErrorCode::Timeout);
    EXPECT_EQ(other, base::ErrorCode::Timeout);
    instance.slot().set_deadline(std::nullopt);
  });
}

TEST_F(AsyncGuest, MeetsItselfInAStream) {
  with_instance([&](ComponentInstance& instance) {
    auto pair = make_stream<std::string>(instance);
    loop::Fiber::current()->loop().spawn(
        [writer = std::make_shared<StreamWriter<std::string>>(std::move(pair.writer))] {
          std::vector<std::string> values = {"one", "two", "three"};
          auto written = writer->write(values);
          EXPECT_TRUE(written && *written == 3);
        });
    std::string room[2];
    auto first = pair.stream.read(room);
    ASSERT_TRUE(first);
    EXPECT_EQ(*first, 2u);
    EXPECT_EQ(room[1], "two");
    auto second = pair.stream.read(room);
    ASSERT_TRUE(second);
    EXPECT_EQ(*second, 1u);
    EXPECT_EQ(room[0], "three");
    auto third = pair.stream.read(room);
    ASSERT_TRUE(third);
    EXPECT_EQ(*third, 0u);
  });
}

TEST_F(AsyncGuest, WaitsForAFutureOfTheHosts) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<NumberOf>(instance, "wait-for", 77u);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 77u);
  });
}

TEST_F(AsyncGuest, GetsStringsThroughItsOwnAllocator) {
  with_instance([&](ComponentInstance& instance) {
    auto result = call<Number>(instance, "spell");
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(*result, 142u); // the lengths, as digits
  });
}

} // namespace
} // namespace cusp::test
