import CZlib
import Foundation

/// A file read from its beginning, plain or gzip: zlib tells them apart. Reading blocks: keep it off the cooperative
/// pool.
final class CompressedFile {
    private let path: String
    private let file: gzFile

    init(_ path: String) throws(EmulatorError) {
        errno = 0
        guard let file = gzopen(path, "rb") else {
            throw .unreadableFile(path: path, reason: String(cString: strerror(errno)))
        }
        self.path = path
        self.file = file
        gzbuffer(file, 128 * 1024)
    }

    deinit { gzclose(file) }

    /// Fills the buffer as far as there is something; 0 at the end.
    ///
    /// - Throws: ``EmulatorError/unreadableFile(path:reason:)`` for damaged or cut compressed data.
    func read(into buffer: inout [UInt8]) throws(EmulatorError) -> Int {
        let count = buffer.withUnsafeMutableBytes { gzread(file, $0.baseAddress, UInt32($0.count)) }
        var code: Int32 = 0
        let text = gzerror(file, &code)
        // Z_BUF_ERROR after the last byte means that the compressed data ends in the middle.
        if count > 0 && code == Z_OK { return Int(count) }
        if count == 0, code == Z_OK || code == Z_STREAM_END { return 0 }
        if count > 0, code != Z_BUF_ERROR { return Int(count) }
        if code == Z_ERRNO { throw .unreadableFile(path: path, reason: String(cString: strerror(errno))) }
        let reason = text.map { String(cString: $0) } ?? ""
        throw .unreadableFile(path: path, reason: reason.isEmpty ? "damaged compressed data" : reason)
    }
}
