// wasi:filesystem's error-code and what the operating system's errors become.
#pragma once

#include <cstdint>
#include <string_view>

#include "canon/describe.h"

namespace cusp::wasi {

enum class FileError : std::uint8_t {
  Access,
  WouldBlock,
  Already,
  BadDescriptor,
  Busy,
  Deadlock,
  Quota,
  Exist,
  FileTooLarge,
  IllegalByteSequence,
  InProgress,
  Interrupted,
  Invalid,
  Io,
  IsDirectory,
  Loop,
  TooManyLinks,
  MessageSize,
  NameTooLong,
  NoDevice,
  NoEntry,
  NoLock,
  InsufficientMemory,
  InsufficientSpace,
  NotDirectory,
  NotEmpty,
  NotRecoverable,
  Unsupported,
  NoTty,
  NoSuchDevice,
  Overflow,
  NotPermitted,
  Pipe,
  ReadOnly,
  InvalidSeek,
  TextFileBusy,
  CrossDevice,
};
CUSP_ENUM(FileError, "access", "would-block", "already", "bad-descriptor", "busy", "deadlock", "quota", "exist",
          "file-too-large", "illegal-byte-sequence", "in-progress", "interrupted", "invalid", "io", "is-directory",
          "loop", "too-many-links", "message-size", "name-too-long", "no-device", "no-entry", "no-lock",
          "insufficient-memory", "insufficient-space", "not-directory", "not-empty", "not-recoverable", "unsupported",
          "no-tty", "no-such-device", "overflow", "not-permitted", "pipe", "read-only", "invalid-seek",
          "text-file-busy", "cross-device")

FileError file_error(int error_number);
std::string_view file_error_name(FileError code);

} // namespace cusp::wasi
