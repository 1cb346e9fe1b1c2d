#include "wasi/preview1/types.h"

#include <cerrno>

namespace cusp::wasi::preview1 {

Errno to_errno(FileError error) {
  switch (error) {
  case FileError::Access: return Errno::Acces;
  case FileError::WouldBlock: return Errno::Again;
  case FileError::Already: return Errno::Already;
  case FileError::BadDescriptor: return Errno::Badf;
  case FileError::Busy: return Errno::Busy;
  case FileError::Deadlock: return Errno::Deadlk;
  case FileError::Quota: return Errno::Dquot;
  case FileError::Exist: return Errno::Exist;
  case FileError::FileTooLarge: return Errno::Fbig;
  case FileError::IllegalByteSequence: return Errno::Ilseq;
  case FileError::InProgress: return Errno::Inprogress;
  case FileError::Interrupted: return Errno::Intr;
  case FileError::Invalid: return Errno::Inval;
  case FileError::Io: return Errno::Io;
  case FileError::IsDirectory: return Errno::Isdir;
  case FileError::Loop: return Errno::Loop;
  case FileError::TooManyLinks: return Errno::Mlink;
  case FileError::MessageSize: return Errno::Msgsize;
  case FileError::NameTooLong: return Errno::Nametoolong;
  case FileError::NoDevice: return Errno::Nodev;
  case FileError::NoEntry: return Errno::Noent;
  case FileError::NoLock: return Errno::Nolck;
  case FileError::InsufficientMemory: return Errno::Nomem;
  case FileError::InsufficientSpace: return Errno::Nospc;
  case FileError::NotDirectory: return Errno::Notdir;
  case FileError::NotEmpty: return Errno::Notempty;
  case FileError::NotRecoverable: return Errno::Notrecoverable;
  case FileError::Unsupported: return Errno::Notsup;
  case FileError::NoTty: return Errno::Notty;
  case FileError::NoSuchDevice: return Errno::Nxio;
  case FileError::Overflow: return Errno::Overflow;
  case FileError::NotPermitted: return Errno::Perm;
  case FileError::Pipe: return Errno::Pipe;
  case FileError::ReadOnly: return Errno::Rofs;
  case FileError::InvalidSeek: return Errno::Spipe;
  case FileError::TextFileBusy: return Errno::Txtbsy;
  case FileError::CrossDevice: return Errno::Xdev;
  }
  return Errno::Io;
}

Errno to_errno(const StreamFailure& failure) {
  if (failure.closed()) return Errno::Pipe;
  return failure.error->file ? to_errno(*failure.error->file) : Errno::Io;
}

Errno socket_errno(int error_number) {
  switch (error_number) {
  case ECONNABORTED: return Errno::Connaborted;
  case ECONNRESET: return Errno::Connreset;
  case ENOTCONN: return Errno::Notconn;
  case ENETDOWN: return Errno::Netdown;
  case ENETUNREACH: return Errno::Netunreach;
  case EHOSTUNREACH: return Errno::Hostunreach;
  case ETIMEDOUT: return Errno::Timedout;
  case ENOBUFS: return Errno::Nobufs;
  case EMFILE: return Errno::Mfile;
  case ENFILE: return Errno::Nfile;
  default: return to_errno(file_error(error_number));
  }
}

Filetype to_filetype(DescriptorType type) {
  switch (type) {
  case DescriptorType::BlockDevice: return Filetype::BlockDevice;
  case DescriptorType::CharacterDevice: return Filetype::CharacterDevice;
  case DescriptorType::Directory: return Filetype::Directory;
  case DescriptorType::SymbolicLink: return Filetype::SymbolicLink;
  case DescriptorType::RegularFile: return Filetype::RegularFile;
  case DescriptorType::Socket: return Filetype::SocketStream;
  case DescriptorType::Fifo:
  case DescriptorType::Unknown: break;
  }
  return Filetype::Unknown;
}

} // namespace cusp::wasi::preview1
