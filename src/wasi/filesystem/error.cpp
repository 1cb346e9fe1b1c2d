#include "wasi/filesystem/error.h"

#include <cerrno>

namespace cusp::wasi {

FileError file_error(int error_number) {
  switch (error_number) {
  case EACCES: return FileError::Access;
  case EAGAIN: return FileError::WouldBlock;
  case EALREADY: return FileError::Already;
  case EBADF: return FileError::BadDescriptor;
  case EBUSY: return FileError::Busy;
  case EDEADLK: return FileError::Deadlock;
  case EDQUOT: return FileError::Quota;
  case EEXIST: return FileError::Exist;
  case EFBIG: return FileError::FileTooLarge;
  case EILSEQ: return FileError::IllegalByteSequence;
  case EINPROGRESS: return FileError::InProgress;
  case EINTR: return FileError::Interrupted;
  case EINVAL: return FileError::Invalid;
  case EISDIR: return FileError::IsDirectory;
  case ELOOP: return FileError::Loop;
  case EMLINK: return FileError::TooManyLinks;
  case EMSGSIZE: return FileError::MessageSize;
  case ENAMETOOLONG: return FileError::NameTooLong;
  case ENODEV: return FileError::NoDevice;
  case ENOENT: return FileError::NoEntry;
  case ENOLCK: return FileError::NoLock;
  case ENOMEM:
  case ENFILE:
  case EMFILE: return FileError::InsufficientMemory;
  case ENOSPC: return FileError::InsufficientSpace;
  case ENOTDIR: return FileError::NotDirectory;
  case ENOTEMPTY: return FileError::NotEmpty;
  case ENOTRECOVERABLE: return FileError::NotRecoverable;
  case ENOTSUP:
  case ENOSYS: return FileError::Unsupported;
  case ENOTTY: return FileError::NoTty;
  case ENXIO: return FileError::NoSuchDevice;
  case EOVERFLOW: return FileError::Overflow;
  case EPERM: return FileError::NotPermitted;
  case EPIPE: return FileError::Pipe;
  case EROFS: return FileError::ReadOnly;
  case ESPIPE: return FileError::InvalidSeek;
  case ETXTBSY: return FileError::TextFileBusy;
  case EXDEV: return FileError::CrossDevice;
  default: return FileError::Io;
  }
}

std::string_view file_error_name(FileError code) {
  return cusp_enum_labels(static_cast<FileError*>(nullptr))[static_cast<std::size_t>(code)];
}

} // namespace cusp::wasi
