import MailModel

/// The admin API for Microsoft's mailboxes, under `/admin/microsoft`.
///
/// | request | does |
/// |---|---|
/// | `GET mailboxes`, `POST mailboxes` `{"address","messages"?,"seed"?,"mbox"?}` | as at Google |
/// | `GET mailboxes/A/truth` | JSON lines: `{"id","conversation_id","folder_id","folder","in_tree","labels","received_at","sha256"}` |
/// | `GET mailboxes/A/folders` | JSON lines: `{"id","parent_id","path","well_known_name"?,"hidden","search","messages"}` |
/// | `POST mailboxes/A/messages[?folder=F]` raw message | delivers it: `{"id"}` |
/// | `GET` or `DELETE mailboxes/A/messages/ID` | the raw message; removes it for good |
/// | `POST mailboxes/A/messages/ID/move` `{"folder"}` | `…/trash` moves to Deleted Items |
/// | `POST mailboxes/A/messages/ID/set` `{"read"?,"flag"?,"importance"?,"categories"?}` | |
/// | `POST mailboxes/A/folders` `{"name","parent"?,"hidden"?}` | `{"id"}` |
/// | `PATCH mailboxes/A/folders/ID` `{"name"?,"parent"?}`, `DELETE mailboxes/A/folders/ID` | |
/// | `POST mailboxes/A/grant`, `revoke`, `expire-tokens`, `expire-delta` `{"folder"?}`, `live`, `command` | as at Google |
/// | `GET mailboxes/A/subscriptions` | JSON lines: `{"id","resource","change_type","notification_url","expires_at","paused"}` |
/// | `POST mailboxes/A/lifecycle` `{"event"}`, `expire-subscriptions` | ``GraphLifecycleEvent``; ends them silently |
/// | `POST hold-notifications`, `release-notifications` | of all mailboxes |
/// | `faults`, `random-faults`, `stats` | as at Google, of Microsoft's endpoints |
struct MicrosoftAdminAPI: Sendable {
    let microsoft: MicrosoftEmulator

    func route(_ request: EmulatorRequest, _ path: [String]) async throws -> EmulatorReply {
        switch (request.method, path[0], path.count) {
        case (_, "faults", _), ("POST", "random-faults", 1):
            return try FaultAdminAPI(
                faults: microsoft.faults, randomEndpoint: .anyGraph, randomResponses: RandomFaults.transientGraph
            ).route(request, path)
        case ("GET", "mailboxes", 1): return .object { $0.field("mailboxes", microsoft.addresses) }
        case ("POST", "mailboxes", 1): return try await createMailbox(try AdminBody(request))
        case (_, "mailboxes", 3...): return try mailbox(request, path[1], Array(path.dropFirst(2)))
        case ("POST", "hold-notifications", 1): microsoft.holdNotifications()
        case ("POST", "release-notifications", 1): microsoft.releaseNotifications()
        case ("GET", "stats", 1): return .text(microsoft.stats.text(microsoft.faults) + "\n")
        default: throw AdminAPI.Refusal.notFound
        }
        return .done
    }

    private func createMailbox(_ body: AdminBody) async throws -> EmulatorReply {
        guard let address = body.address, !address.isEmpty else {
            throw AdminAPI.Refusal.badRequest("address is missing")
        }
        try microsoft.createMailbox(address)
        if let path = body.mbox { try await microsoft.load(mbox: path, into: address) }
        if let count = body.messages {
            let seed = body.seed ?? microsoft.configuration.seed
            try microsoft.load(MailboxGenerator(seed: seed, address: address, count: count), into: address)
        }
        let count = try microsoft.messageIDs(of: address).count
        return .object { $0.field("messages", Int64(count)) }
    }

    private func mailbox(_ request: EmulatorRequest, _ address: String, _ path: [String]) throws -> EmulatorReply {
        switch (request.method, path[0], path.count) {
        case ("GET", "truth", 1): return try truth(address)
        case ("GET", "subscriptions", 1): return try subscriptions(address)
        case ("GET", "folders", 1): return try folders(address)
        case ("POST", "messages", 1):
            let folder = request.parameter("folder") ?? "inbox"
            let id = try microsoft.deliver(request.body, to: address, folder: folder)
            return .object { $0.field("id", id) }
        case (_, "messages", 2...): return try message(request, address, Array(path.dropFirst()))
        case (_, "folders", _): return try folder(request, address, path.dropFirst().first)
        case ("POST", _, 1): return try action(request, address, path[0])
        default: throw AdminAPI.Refusal.notFound
        }
    }

    private func message(_ request: EmulatorRequest, _ address: String, _ path: [String]) throws -> EmulatorReply {
        let id = path[0]
        let body = try AdminBody(request)
        switch (request.method, path.count > 1 ? path[1] : "") {
        case ("GET", ""):
            let raw = try microsoft.rawMessage(id, in: address)
            return EmulatorReply(status: 200, contentType: "message/rfc822", body: raw)
        case ("DELETE", ""): try microsoft.delete(id, in: address)
        case ("POST", "move"): try microsoft.move(id, to: body.folder ?? "", in: address)
        case ("POST", "trash"): try microsoft.trash(id, in: address)
        case ("POST", "set"): try set(id, address, body)
        default: throw AdminAPI.Refusal.notFound
        }
        return .done
    }

    private func set(_ id: String, _ address: String, _ body: AdminBody) throws {
        let flag = body.flag.map { OutlookProperties.Flag(rawValue: $0) }
        let importance = body.importance.map { OutlookProperties.Importance(rawValue: $0) }
        if case .some(nil) = flag { throw AdminAPI.Refusal.badRequest("there is no such flag") }
        if case .some(nil) = importance { throw AdminAPI.Refusal.badRequest("there is no such importance") }
        try microsoft.set(id, in: address) { properties in
            properties.isRead = body.read ?? properties.isRead
            properties.flag = (flag ?? nil) ?? properties.flag
            properties.importance = (importance ?? nil) ?? properties.importance
            properties.categories = body.categories ?? properties.categories
        }
    }

    private func folder(_ request: EmulatorRequest, _ address: String, _ id: String?) throws -> EmulatorReply {
        let body = try AdminBody(request)
        switch (request.method, id) {
        case ("POST", nil):
            let id = try microsoft.createFolder(
                body.name ?? "", in: address, parent: body.parent ?? "msgfolderroot", isHidden: body.hidden ?? false)
            return .object { $0.field("id", id) }
        case ("PATCH", let id?):
            if let name = body.name { try microsoft.renameFolder(id, to: name, in: address) }
            if let parent = body.parent { try microsoft.moveFolder(id, to: parent, in: address) }
        case ("DELETE", let id?): try microsoft.deleteFolder(id, in: address)
        default: throw AdminAPI.Refusal.notFound
        }
        return .done
    }

    private func action(_ request: EmulatorRequest, _ address: String, _ name: String) throws -> EmulatorReply {
        switch name {
        case "grant":
            let scopes = try AdminBody(request).scopes ?? MicrosoftEmulator.readScopes
            return .grant(try microsoft.grant(address, scopes: scopes))
        case "command":
            return try .command(request) { command throws(EmulatorError) in
                try command.apply(to: microsoft, mailbox: address)
            }
        case "live":
            return try .live(try AdminBody(request), address) { activity throws(EmulatorError) in
                try activity.step(microsoft)
            }
        case "revoke": microsoft.revokeGrant(of: address)
        case "lifecycle":
            guard let event = try AdminBody(request).event.flatMap({ GraphLifecycleEvent(rawValue: $0) }) else {
                throw AdminAPI.Refusal.badRequest("there is no such event")
            }
            try microsoft.sendLifecycle(event, to: address)
        case "expire-subscriptions": try microsoft.expireSubscriptions(of: address)
        case "expire-tokens": microsoft.expireAccessTokens(of: address)
        case "expire-delta": try microsoft.expireDelta(of: address, folder: try AdminBody(request).folder)
        default: throw AdminAPI.Refusal.notFound
        }
        return .done
    }

    private func truth(_ address: String) throws -> EmulatorReply {
        let messages = try microsoft.snapshot(address).values.sorted { ($0.receivedAt, $0.id) < ($1.receivedAt, $1.id) }
        return .lines(messages) { json, message in
            json.field("id", message.id)
            json.field("conversation_id", message.conversationID)
            json.field("folder_id", message.folderID)
            json.field("folder", message.folder)
            json.field("in_tree", message.isInTree)
            json.field("labels", message.labels)
            json.field("received_at", message.receivedAt)
            json.field("sha256", message.rawSHA256)
        }
    }

    private func subscriptions(_ address: String) throws -> EmulatorReply {
        .lines(try microsoft.subscriptions(of: address)) { json, subscription in
            json.field("id", subscription.id)
            json.field("resource", subscription.resource)
            json.field("change_type", subscription.changeType)
            json.field("notification_url", subscription.notificationURL)
            json.field("expires_at", subscription.expiresAt)
            json.field("paused", subscription.isPaused)
        }
    }

    private func folders(_ address: String) throws -> EmulatorReply {
        .lines(try microsoft.folders(of: address)) { json, folder in
            json.field("id", folder.id)
            json.field("parent_id", folder.parentID)
            json.field("path", folder.path)
            if let name = folder.wellKnownName { json.field("well_known_name", name) }
            json.field("hidden", folder.isHidden)
            json.field("search", folder.isSearch)
            json.field("messages", Int64(folder.messages))
        }
    }
}
