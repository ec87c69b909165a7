import MailModel
import Synchronization

/// What a handler does with its job while it runs. A handler is cancelled (`Task.isCancelled`) when somebody cancels or
/// parks the job, when it takes too long, and when the service ends; it then throws, or returns what it has.
public struct JobContext: Sendable {
    let note: JobNote

    /// Tells how far the job is. Written now and then, and when the job ends: cheap to call often.
    public func progress(_ progress: JobProgress) { note.set(progress, isCheckpoint: false) }

    /// Tells that what was done so far is kept, so that no failure before this counts as an attempt any more.
    public func checkpoint(_ progress: JobProgress) { note.set(progress, isCheckpoint: true) }
}

/// What a handler told and the queue does not know yet.
final class JobNote: Sendable {
    struct Content: Sendable, Hashable {
        var progress: JobProgress
        /// Attempts begin to count anew.
        var isCheckpoint = false
    }

    private let content = Mutex<Content?>(nil)
    private let isNew: @Sendable () -> Void

    /// - Parameter isNew: called when there is something to take where there was nothing.
    init(isNew: @escaping @Sendable () -> Void) { self.isNew = isNew }

    func set(_ progress: JobProgress, isCheckpoint: Bool) {
        let wasEmpty = content.withLock { content in
            defer { content = Content(progress: progress, isCheckpoint: isCheckpoint || content?.isCheckpoint == true) }
            return content == nil
        }
        if wasEmpty { isNew() }
    }

    /// What was taken could not be written; what was told since is newer.
    func putBack(_ taken: Content?) {
        guard let taken else { return }
        content.withLock { content in
            content = Content(
                progress: content?.progress ?? taken.progress,
                isCheckpoint: taken.isCheckpoint || content?.isCheckpoint == true)
        }
    }

    var isEmpty: Bool { content.withLock { $0 == nil } }

    /// nil when there is nothing new.
    func take() -> Content? {
        content.withLock { content in
            defer { content = nil }
            return content
        }
    }
}
