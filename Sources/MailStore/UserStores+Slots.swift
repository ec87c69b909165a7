import Logging
import MailModel

/// Opening, pinning and closing: a user's slot goes closed → changing → open → changing → closed, or ends quarantined.
extension UserStores {
    func pin(_ user: UserID) async throws -> UserStore {
        while true {
            if isClosed { throw StoreFailure.closed }
            switch slots[user] {
            case .changing: await settled(user)
            case .quarantined(let failure): throw failure
            case .open(var entry):
                if let failure = entry.store.failure { throw failure }
                useCount += 1
                entry.pins += 1
                entry.lastUse = useCount
                slots[user] = .open(entry)
                return entry.store
            case nil: try await open(user)
            }
        }
    }

    func unpin(_ user: UserID) async {
        guard case .open(var entry) = slots[user] else { return }
        entry.pins -= 1
        let waiting = entry.pins == 0 ? entry.draining : []
        if entry.pins == 0 { entry.draining = [] }
        slots[user] = .open(entry)
        for waiter in waiting { waiter.resume() }
        guard entry.pins == 0 else { return }
        if entry.store.failure != nil { await shut(user) }
        await makeRoom()
    }

    /// Makes room and opens the file. Afterwards the slot is open, or it is not and this throws.
    private func open(_ user: UserID) async throws {
        slots[user] = .changing(waiting: [])
        openCount += 1
        await makeRoom()
        do {
            let store = try await openFile(user, floor: try await floor(user))
            change(user, to: .open(OpenStore(store: store, lastUse: useCount)))
        } catch {
            openCount -= 1
            let failure = error as? StoreFailure
            if let failure {
                logger.error("cannot open a store", metadata: ["user": "\(user)", "error": "\(failure)"])
            }
            change(user, to: failure.flatMap { $0.quarantines ? .quarantined($0) : nil })
            throw error
        }
    }

    private func openFile(_ user: UserID, floor: SequenceFloor) async throws -> UserStore {
        let began = time.nowMilliseconds()
        let reserve = reserve.map { reserve in
            { @Sendable (through: Int64) async throws in try await reserve(user, through) }
        }
        let (store, checked) = try await offPool { [files] in
            try files.create(user)
            let isDirty = files.isDirty(user)
            let path = files.path(of: user)
            let store = try UserStore(
                user: user, path: path, floor: floor, checkIntegrity: isDirty, reserve: reserve)
            return (store, isDirty)
        }
        if checked {
            let spent = time.nowMilliseconds() - began
            logger.info("checked a store after an unclean end", metadata: ["user": "\(user)", "ms": "\(spent)"])
        }
        return store
    }

    /// Closes idle files until no more than allowed are open.
    private func makeRoom() async {
        while openCount > openMax {
            let idle = slots.compactMap { user, slot in slot.idleSince.map { (user: user, since: $0) } }
            guard let oldest = idle.min(by: { $0.since < $1.since }) else { return }
            await shut(oldest.user)
        }
    }

    /// Closes the user's file and moves it aside, so that the next use makes a new one. A damaged file too, which ends its
    /// quarantine.
    ///
    /// - Parameter suffix: of the name that the file gets.
    /// - Returns: where it is now; nil when there was none.
    /// - Throws: ``StoreFailure``.
    public func setAside(_ user: UserID, suffix: String) async throws -> String? {
        while let slot = slots[user], !slot.isQuarantined { await shut(user) }
        slots[user] = .changing(waiting: [])
        defer { change(user, to: nil) }
        unpublished?.remove(user)
        return try await offPool { [files] in try files.setAside(user, suffix: suffix) }
    }

    /// Removes the user's files that were moved aside.
    ///
    /// - Parameter mark: what their names have after the file's own name.
    /// - Returns: the paths of the removed files.
    public func removeSetAside(_ user: UserID, mark: String) async throws -> [String] {
        try await offPool { [files] in try files.removeSetAside(user, mark: mark) }
    }

    /// Closes the file when nobody uses it any more.
    func shut(_ user: UserID) async {
        switch slots[user] {
        case .changing: await settled(user)
        case .open(let entry) where entry.pins > 0: await drained(user)
        case .open(let entry):
            slots[user] = .changing(waiting: [])
            await closeFile(entry.store)
            openCount -= 1
            change(user, to: entry.store.failure.map { .quarantined($0) })
        case .quarantined, nil: return
        }
    }

    private func closeFile(_ store: UserStore) async {
        do {
            // A file that cannot say whether it has unpublished events must be looked at again.
            let hasUnpublished = try await offPool { (try? store.hasUnpublished()) ?? true }
            try await noteUnpublished(store.user, hasUnpublished)
            try await offPool { try store.close() }
        } catch {
            logger.error("cannot close a store", metadata: ["user": "\(store.user)", "error": "\(error)"])
        }
    }

    private func settled(_ user: UserID) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            guard case .changing(let waiting) = slots[user] else { return continuation.resume() }
            slots[user] = .changing(waiting: waiting + [continuation])
        }
    }

    private func drained(_ user: UserID) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            guard case .open(var entry) = slots[user], entry.pins > 0 else { return continuation.resume() }
            entry.draining.append(continuation)
            slots[user] = .open(entry)
        }
    }

    private func change(_ user: UserID, to slot: StoreSlot?) {
        let changing = slots[user]
        slots[user] = slot
        guard case .changing(let waiting) = changing else { return }
        for waiter in waiting { waiter.resume() }
    }
}

/// The list of users whose closed file has unpublished events: what a start must look at, besides files that were not
/// closed.
extension UserStores {
    func unpublishedList() async throws -> Set<UserID> {
        if let unpublished { return unpublished }
        let saved = try await offPool { [files] in try files.unpublished() }
        let list = unpublished ?? saved
        unpublished = list
        return list
    }

    /// Kept on disk as soon as a user is added, so that a crash forgets nobody; removals are saved at shutdown.
    private func noteUnpublished(_ user: UserID, _ hasUnpublished: Bool) async throws {
        let known = try await unpublishedList().contains(user)
        if hasUnpublished {
            unpublished?.insert(user)
            if !known { try await offPool { [files] in try files.addUnpublished(user) } }
        } else {
            unpublished?.remove(user)
        }
    }
}
