import Synchronization

/// Hands lines from a command to whoever reads them; a fast command waits for a slow reader. One reader.
final class LineChannel: Sendable {
    /// Lines that may wait for the reader.
    static let waitingMax = 64

    private struct State {
        var lines: [[UInt8]] = []
        var isFinished = false
        var isClosed = false
        var reader: CheckedContinuation<[UInt8]?, Never>?
        var writers: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    /// Takes the line, and returns when another one fits.
    ///
    /// - Throws: `CancellationError` when nobody reads any more, or the task is cancelled.
    func send(_ line: [UInt8]) async throws {
        await withTaskCancellationHandler {
            await withCheckedContinuation { writer in
                let (reader, fits) = state.withLock { state in
                    let reader = state.reader
                    state.reader = nil
                    if reader == nil, !state.isClosed { state.lines.append(line) }
                    let fits = state.isClosed || state.lines.count < Self.waitingMax
                    if !fits { state.writers.append(writer) }
                    return (reader, fits)
                }
                reader?.resume(returning: line)
                if fits { writer.resume() }
            }
        } onCancel: {
            close()
        }
        if state.withLock({ $0.isClosed }) { throw CancellationError() }
    }

    /// The next line; nil after the last one, and when the channel was closed.
    func next() async -> [UInt8]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { reader in
                let (line, writers, waits) = state.withLock { state in take(&state, reader) }
                for writer in writers { writer.resume() }
                if !waits { reader.resume(returning: line) }
            }
        } onCancel: {
            close()
        }
    }

    /// No more lines come; those that wait are still read.
    func finish() {
        let reader = state.withLock { state in
            state.isFinished = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    /// Drops what waits and ends both sides.
    func close() {
        let (reader, writers) = state.withLock { state in
            state.isClosed = true
            defer { (state.lines, state.reader, state.writers) = ([], nil, []) }
            return (state.reader, state.writers)
        }
        reader?.resume(returning: nil)
        for writer in writers { writer.resume() }
    }

    private func take(
        _ state: inout State, _ reader: CheckedContinuation<[UInt8]?, Never>
    ) -> (line: [UInt8]?, writers: [CheckedContinuation<Void, Never>], waits: Bool) {
        guard state.lines.isEmpty else {
            defer { state.writers = [] }
            return (state.lines.removeFirst(), state.writers, false)
        }
        guard !state.isFinished, !state.isClosed else { return (nil, [], false) }
        state.reader = reader
        return (nil, [], true)
    }
}
