/// What a delta round tells of one folder.
struct MessageChangeSet {
    enum Entry: Sendable {
        /// Left the folder; `generation` names the mutable id it had there.
        case removed(message: Int, generation: Int, clock: UInt64)
        /// In the folder; new to who asked from that point, or changed.
        case present(OutlookMessage, isNew: Bool)
    }
    /// The round covers the changes after the first up to the second, on the mailbox's clock.
    let since: UInt64
    let until: UInt64
    /// With immutable ids a message that left and came back is told as removed only, as at the provider.
    let usesImmutableIDs: Bool
    let isNewestFirst: Bool
}

/// How far a round was told: removals come first, by clock, then messages by place.
struct RoundProgress: Sendable, Hashable, Codable {
    var removedThrough: UInt64 = 0
    var position: ListPosition?
}

extension MessageChangeSet {
    /// The next entries after `progress`, at most `limit` and one more to show that there are more.
    func entries(of folder: OutlookFolder, in mailbox: OutlookMailbox, after progress: RoundProgress, limit: Int)
        -> [Entry]
    {
        if since == 0 { return initial(folder, mailbox, progress.position, limit + 1) }
        let log = folder.log[folder.logIndex(after: since)..<folder.logIndex(after: until)]
        var entries: [Entry] = []
        var gone: Set<Int> = []
        var seen: Set<Int> = []
        var present: [OutlookMessage] = []
        for entry in log {
            switch entry.event {
            case .left(let enteredAt, let generation) where enteredAt <= since:
                gone.insert(entry.message)
                if entry.clock > progress.removedThrough {
                    entries.append(.removed(message: entry.message, generation: generation, clock: entry.clock))
                }
            case .left: break
            case .present:
                guard seen.insert(entry.message).inserted, let message = mailbox.messages[entry.message],
                    message.folder == folder.key, message.enteredAt <= until, isAhead(message, of: progress.position)
                else { continue }
                present.append(message)
            }
        }
        if usesImmutableIDs { present.removeAll { gone.contains($0.key) } }
        present.sort { isNewestFirst ? $0.position > $1.position : $0.position < $1.position }
        entries += present.map { .present($0, isNew: $0.enteredAt > since) }
        return Array(entries.prefix(limit + 1))
    }

    private func isAhead(_ message: OutlookMessage, of position: ListPosition?) -> Bool {
        guard let position else { return true }
        return isNewestFirst ? message.position < position : message.position > position
    }

    /// The first round tells what is there.
    private func initial(
        _ folder: OutlookFolder, _ mailbox: OutlookMailbox, _ position: ListPosition?, _ limit: Int
    ) -> [Entry] {
        var entries: [Entry] = []
        var index = isNewestFirst ? folder.order.count : -1
        if let position {
            index = folder.index(of: position)
            let isThere = index < folder.order.count && folder.order[index] == position
            if !isNewestFirst, !isThere { index -= 1 }
        }
        let step = isNewestFirst ? -1 : 1
        index += step
        while folder.order.indices.contains(index), entries.count < limit {
            if let message = mailbox.messages[folder.order[index].key], message.enteredAt <= until {
                entries.append(.present(message, isNew: true))
            }
            index += step
        }
        return entries
    }
}
