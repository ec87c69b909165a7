import Foundation
import Synchronization

/// What a person sees: on a terminal one line is redrawn while something progresses, in a pipe a plain line appears
/// now and then.
final class DemoDisplay: Sendable {
    /// In a pipe, a progress line appears at most this often, in milliseconds.
    private static let plainIntervalMilliseconds: Int64 = 2000

    private struct State {
        var progressShown = false
        var lastPlain: Int64 = .min
    }

    private let isTerminal: Bool
    private let write: @Sendable (String) -> Void
    private let state = Mutex(State())

    init(
        isTerminal: Bool = isatty(STDOUT_FILENO) == 1,
        write: @escaping @Sendable (String) -> Void = { FileHandle.standardOutput.write(Data($0.utf8)) }
    ) {
        self.isTerminal = isTerminal
        self.write = write
    }

    /// A heading with an empty line before it.
    func heading(_ text: String) { line(isTerminal ? "\n\u{1b}[1m\(text)\u{1b}[0m" : "\n\(text)") }

    /// A line that stays.
    func line(_ text: String) {
        state.withLock { state in
            let clear = state.progressShown ? "\r\u{1b}[K" : ""
            state.progressShown = false
            write(clear + text + "\n")
        }
    }

    /// A line that the next one replaces.
    func progress(_ text: String, at nowMilliseconds: Int64) {
        state.withLock { state in
            if isTerminal {
                state.progressShown = true
                write("\r\u{1b}[K" + text)
            } else if state.lastPlain == .min || nowMilliseconds - state.lastPlain >= Self.plainIntervalMilliseconds {
                state.lastPlain = nowMilliseconds
                write(text + "\n")
            }
        }
    }

    /// `5000` → `5,000`.
    static func grouped(_ number: Int) -> String {
        var digits = Array(String(abs(number)))
        var index = digits.count - 3
        while index > 0 {
            digits.insert(",", at: index)
            index -= 3
        }
        return (number < 0 ? "-" : "") + String(digits)
    }

    /// `###-------` of so many places.
    static func bar(_ done: Int, of total: Int, places: Int = 24) -> String {
        let filled = total > 0 ? min(places, done * places / total) : places
        return String(repeating: "█", count: filled) + String(repeating: "░", count: places - filled)
    }
}
