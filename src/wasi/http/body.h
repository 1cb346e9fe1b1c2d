// Bodies in both directions. What is incoming reads from an origin (a request being served, a response being received); what is outgoing is
// a sink that a carrier takes onwards once it is known (response-outparam.set, outgoing-handler.handle); until then a bounded buffer holds
// it. A body that is dropped unfinished breaks its carrier off, so that the other side sees that it is not whole. Spec: wasi:http/types.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wasi/http/error.h"
#include "wasi/http/fields.h"
#include "wasi/io/streams.h"

namespace cusp::wasi {

template <class T> using HttpResult = std::expected<T, HttpError>;
using TrailerList = std::vector<std::pair<std::string, std::string>>;

// --- incoming
class BodyOrigin : public Counted {
public:
  // Bytes that are there now. 0: none yet, or the end.
  virtual HttpResult<std::size_t> try_read(std::span<std::uint8_t> into) = 0;
  virtual bool at_end() = 0;
  virtual loop::Event& readable() = 0;
  virtual const TrailerList& trailers() = 0;
  virtual std::chrono::nanoseconds patience() const {
    return std::chrono::seconds(60);
  } // with a peer that sends nothing
};

class BodySource final : public InputSource {
public:
  explicit BodySource(Ref<BodyOrigin> origin) : origin_(std::move(origin)) {}
  bool ready() override;
  loop::Event* event() override { return &origin_->readable(); }
  loop::TimePoint when() override { return until_; }
  StreamResult<std::span<const std::uint8_t>> peek(std::size_t limit) override;
  void consume(std::size_t count) override { at_ += count; }
  const std::optional<HttpError>& error() const { return error_; }

private:
  void fill();
  Ref<BodyOrigin> origin_;
  std::vector<std::uint8_t> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  bool ended_ = false;
  std::optional<HttpError> error_;
  loop::TimePoint until_ = loop::kNever; // when waiting becomes an error
};

// wasi:http's future-trailers: reads the rest of the body away.
class TrailersWait final : public Waitable {
public:
  TrailersWait(Ref<BodyOrigin> origin, Ref<BodySource> source)
      : origin_(std::move(origin)), source_(std::move(source)) {}
  bool ready() override;
  loop::Event* event() override { return &origin_->readable(); }
  loop::TimePoint when() override { return source_->when(); }
  // REQUIRES: ready(). Empty: no trailers.
  HttpResult<Ref<FieldList>> result();

private:
  Ref<BodyOrigin> origin_;
  Ref<BodySource> source_;
  std::optional<HttpError> error_;
};

// --- outgoing
class BodyCarrier {
public:
  virtual ~BodyCarrier() = default;
  // Bytes that accept() takes now without waiting; sends what it can to make room.
  virtual std::size_t room() = 0;
  virtual HttpResult<void> accept(std::span<const std::uint8_t> bytes) = 0;
  // What was accepted should be on its way soon.
  virtual void want_flush() = 0;
  virtual loop::Event* room_event() = 0;
  virtual std::optional<HttpError> failure() = 0;
  virtual HttpResult<void> complete(const FieldList* trailers) = 0;
  virtual void abort() = 0; // never suspends
  virtual void attached() {}
  virtual void detached() {}
};

class BodySink final : public OutputSink {
public:
  explicit BodySink(bool is_request, std::optional<std::uint64_t> declared)
      : declared_(declared), is_request_(is_request) {}
  ~BodySink() override;

  // The one who takes it from here; gets what was written so far. REQUIRES: the carrier outlives the sink, or detaches in abort().
  HttpResult<void> attach(BodyCarrier& carrier);
  // Nobody will: writes fail from now on.
  void orphan() { orphaned_ = true; }
  HttpResult<void> finish(Ref<FieldList> trailers);
  // The guest dropped it unfinished.
  void abandon();

  bool finished() const { return finished_; }
  bool abandoned() const { return abandoned_; }
  std::optional<std::uint64_t> declared() const { return declared_; }
  std::uint64_t written() const { return written_; }
  // That what was written, and `more`, is not what was declared.
  HttpError size_error(std::uint64_t more = 0) const;
  const FieldList* trailers() const { return trailers_.get(); }

  bool ready() override;
  loop::Event* event() override { return carrier_ ? carrier_->room_event() : nullptr; }
  loop::TimePoint when() override { return until_; }
  StreamResult<std::uint64_t> check_write() override;
  StreamResult<void> write(std::span<const std::uint8_t> bytes) override;
  StreamResult<void> flush() override;

private:
  std::size_t room();
  std::string pending_; // written before there was a carrier
  BodyCarrier* carrier_ = nullptr;
  std::optional<std::uint64_t> declared_;
  std::uint64_t written_ = 0;
  Ref<FieldList> trailers_;
  std::optional<HttpError> error_;
  loop::TimePoint until_ = loop::kNever;
  bool is_request_, finished_ = false, abandoned_ = false, orphaned_ = false;
};

} // namespace cusp::wasi
