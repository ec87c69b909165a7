import MailModel

/// The changes of one folder's messages, round by round.
extension GraphCall {
    /// Most messages of a round that is filtered by date (message: delta).
    private static let filteredRoundMax = 5000
    private static let pageDefault = 10
    /// Most entries of a page when `odata.maxpagesize` is ignored.
    private static let unboundedPage = 1000

    func messagesDelta() throws(GraphError) -> EmulatorReply {
        let round = try box.readOrThrow { mailbox throws(GraphError) in
            let folder = try folder(route.folder ?? "", mailbox)
            var token = try deltaToken(
                mailbox, folder: folder.key, floor: folder.floor, until: min(mailbox.clock, folder.heldAt ?? .max),
                properties: GraphMessage.properties,
                allowed: ["$select", "$top", "$filter", "$orderby", "changeType"])
            var page = GraphPage(context: "\(root)/$metadata#Collection(message)")
            if fault == .emptyPage {
                page.nextLink = link("$skiptoken", token, mailbox)
                return (page: page, entries: [MessageChangeSet.Entry](), token: token, salt: mailbox.salt)
            }
            let (told, isLast) = entries(folder, mailbox, &token)
            finish(&page, token, isLast: isLast, mailbox)
            return (page: page, entries: told, token: token, salt: mailbox.salt)
        }
        var page = round.page
        page.items = round.entries.map { write($0, round.token, round.salt) }
        if case .page(let fault) = fault {
            fault.alter(&page, messages: round.entries.compactMap(\.message).map { id($0, round.salt) })
        }
        return faulty(page).reply
    }

    /// The next page's entries; moves the token past them.
    private func entries(
        _ folder: OutlookFolder, _ mailbox: OutlookMailbox, _ token: inout DeltaToken
    ) -> (told: [MessageChangeSet.Entry], isLast: Bool) {
        if folder.isSearch { return (searchEntries(mailbox, token), true) }
        let changes = MessageChangeSet(
            since: token.since, until: token.until, usesImmutableIDs: preference.usesImmutableIDs,
            isNewestFirst: token.query.isNewestFirst ?? false)
        let roundMax = token.query.top ?? (token.query.receivedFrom == nil ? .max : Self.filteredRoundMax)
        let size = min(pageSize(token), roundMax - token.told)
        var told: [MessageChangeSet.Entry] = []
        while told.count < size {
            let next = changes.entries(of: folder, in: mailbox, after: token.progress, limit: size)
            if next.isEmpty { break }
            for entry in next where told.count < size {
                token.progress.advance(past: entry)
                if isWanted(entry, token.query) { told.append(entry) }
            }
        }
        token.told += told.count
        let isFull = token.told >= roundMax
        return (told, isFull || changes.entries(of: folder, in: mailbox, after: token.progress, limit: 0).isEmpty)
    }

    /// A search folder tells its contents once: duplicates of what is in other folders.
    private func searchEntries(_ mailbox: OutlookMailbox, _ token: DeltaToken) -> [MessageChangeSet.Entry] {
        guard token.since == 0 else { return [] }
        return mailbox.searchResults.compactMap { mailbox.messages[$0.key] }.map { .present($0, isNew: true) }
    }

    private func isWanted(_ entry: MessageChangeSet.Entry, _ query: GraphQuery) -> Bool {
        switch entry {
        case .removed: query.changeType == nil || query.changeType == "deleted"
        case .present(let message, let isNew):
            query.includes(message) && (query.changeType ?? "") != "deleted"
                && (query.changeType == nil || query.changeType == (isNew ? "created" : "updated"))
        }
    }

    private func write(_ entry: MessageChangeSet.Entry, _ token: DeltaToken, _ salt: UInt64) -> [UInt8] {
        switch entry {
        case .removed(let key, let generation, _):
            return Self.removed(id(key, generation, salt), type: "message")
        case .present(let message, let isNew):
            var select = token.query.select
            if fault == .page(.changedPropertiesOnly), !isNew {
                select = message.settings.changed(since: token.since).intersection(select ?? GraphMessage.properties)
            }
            return GraphMessage(message, salt: salt, preference, select: select).json(isTyped: true)
        }
    }

    private func id(_ message: OutlookMessage, _ salt: UInt64) -> String { id(message.key, message.generation, salt) }

    /// The id of the kind asked for.
    private func id(_ key: Int, _ generation: Int, _ salt: UInt64) -> String {
        let kind: ItemID.Kind = preference.usesImmutableIDs ? .immutable : .mutable(generation: generation)
        return ItemID(key: key, kind: kind).text(salt: salt)
    }
}

extension RoundProgress {
    mutating func advance(past entry: MessageChangeSet.Entry) {
        switch entry {
        case .removed(_, _, let clock): removedThrough = clock
        case .present(let message, _): position = message.position
        }
    }
}

extension MessageChangeSet.Entry {
    fileprivate var message: OutlookMessage? {
        guard case .present(let message, _) = self else { return nil }
        return message
    }
}

extension OutlookMessage.Settings {
    /// The properties set since then, by name.
    func changed(since clock: UInt64) -> Set<String> {
        let all = [("isRead", isRead), ("flag", flag), ("importance", importance), ("categories", categories)]
        return Set(all.filter { $0.1 > clock }.map(\.0))
    }
}

/// Delta rounds: tokens, links and pages.
extension GraphCall {
    static let tokenOptions = ["$deltatoken", "$skiptoken"]

    /// The token of a link, or one for a first round.
    ///
    /// - Throws: 410 when it is too old, 400 when it makes no sense or something was added to the link.
    func deltaToken(
        _ mailbox: OutlookMailbox, folder: Int?, floor: UInt64, until: UInt64, properties: Set<String>,
        allowed: Set<String>
    ) throws(GraphError) -> DeltaToken {
        let text = Self.tokenOptions.compactMap { request.parameter($0) }.first
        guard let text, !text.isEmpty else {
            let query = try GraphQuery(request, properties: properties, allowed: allowed.union(Self.tokenOptions))
            return DeltaToken(folder: folder, since: 0, until: until, query: query)
        }
        guard request.query.count == 1 else {
            throw .badRequest("The link was changed: it carries all query options of its round.")
        }
        var token = try DeltaToken(text, salt: mailbox.salt)
        guard token.folder == folder else { throw .invalidSyncState }
        guard token.until >= floor else { throw .syncStateNotFound }
        if token.since == token.until, token.progress == RoundProgress() { token.until = max(until, token.since) }
        return token
    }

    func pageSize(_ token: DeltaToken) -> Int {
        if fault == .page(.ignorePageSize) { return Self.unboundedPage }
        return min(preference.pageSize ?? Self.pageDefault, configuration.microsoft.deltaPageMax)
    }

    /// Gives the page its link: to the next page of the round, or to the next round.
    func finish(_ page: inout GraphPage, _ token: DeltaToken, isLast: Bool, _ mailbox: OutlookMailbox) {
        guard isLast else {
            page.nextLink = link("$skiptoken", token, mailbox)
            return
        }
        let next = DeltaToken(
            folder: token.folder, since: token.until, until: token.until, query: token.query)
        page.deltaLink = link(fault == .page(.skipTokenInDeltaLink) ? "$skiptoken" : "$deltatoken", next, mailbox)
    }

    func link(_ option: String, _ token: DeltaToken, _ mailbox: OutlookMailbox) -> String {
        let place = token.folder.map { "mailFolders('\(mailbox.id(ofFolder: $0))')/messages" } ?? "mailFolders"
        return "\(root)/me/\(place)/delta?\(option)=\(token.text(salt: mailbox.salt))"
    }
}
