import MailModel
import ProviderClient

/// What a page of a folder's messages says, netted: the last mention of a message counts; but a removal is not taken back by
/// content of the same page, because the order of a page means nothing. Pure.
struct OutlookPage: Sendable {
    /// The page's last word on a message.
    private enum Mention: Sendable {
        case content(OutlookWire.ListedMessage)
        case removed
        case unreadable
    }

    let folder: FolderTree.Place
    private var mentions: [String: Mention] = [:]
    /// The messages in the order in which they were first mentioned.
    private(set) var ids: [String] = []
    /// Entries without an id that can be read.
    private(set) var nameless = 0

    init(_ entries: [OutlookWire.Entry<OutlookWire.ListedMessage>], of folder: FolderTree.Place) {
        self.folder = folder
        for entry in entries {
            switch entry {
            case .content(let id, let message): mention(id, .content(message))
            case .removed(let id): mention(id, .removed)
            case .unreadable(let id?): mention(id, .unreadable)
            case .unreadable(nil): nameless += 1
            }
        }
    }

    private mutating func mention(_ id: String, _ mention: Mention) {
        switch mentions[id] {
        case nil: ids.append(id)
        case .removed: return
        case .content, .unreadable: break
        }
        mentions[id] = mention
    }

    /// What is to be done about the page's messages.
    struct Plan: Sendable, Hashable {
        var changes: [MessageChange] = []
        /// Only reading them tells.
        var toRead: [String] = []
        /// Those of them that the folder said were removed.
        var removed: Set<String> = []
    }

    /// - Parameters:
    ///   - states: what the store has of ``ids``.
    ///   - unknown: those of them that are neither stored nor recorded as a gap.
    func plan(
        states: [String: MessageState], unknown: Set<String>, tree: FolderTree, normalizer: OutlookNormalizer,
        version: UInt64
    ) -> Plan {
        var plan = Plan()
        for id in ids {
            let exists = states[id]?.exists
            switch mentions[id] {
            case .removed where exists == true: plan.changes.append(.removed(id: id, fromFolder: folder.folder))
            // It came and went; or it was away for a moment, and the folder never tells that it is there.
            case .removed where exists == nil && unknown.contains(id) && folder.isInScope:
                plan.toRead.append(id)
                plan.removed.insert(id)
            case .removed, nil: break
            case .unreadable:
                if exists != nil || unknown.contains(id) { plan.toRead.append(id) }
            case .content(let listed):
                let place = tree.place(listed.message.parentFolderId) ?? folder
                switch exists {
                case true?: plan.relabel(id, listed, place, version)
                // Gone, and there again: only the message itself can be believed.
                case false?: plan.toRead.append(id)
                case nil: plan.meet(id, listed, place, unknown.contains(id), normalizer, version)
                }
            }
        }
        return plan
    }
}

extension OutlookPage.Plan {
    /// A message that is stored.
    fileprivate mutating func relabel(
        _ id: String, _ listed: OutlookWire.ListedMessage, _ place: FolderTree.Place, _ version: UInt64
    ) {
        guard listed.hasLabels else { return toRead.append(id) }
        let labels = OutlookLabels.labels(of: listed.message, inFolder: place.label)
        changes.append(.labels(id: id, labels: labels, version: version, folder: place.folder))
    }

    /// A message that is not stored. Gaps that cannot be closed from here have a schedule of their own.
    fileprivate mutating func meet(
        _ id: String, _ listed: OutlookWire.ListedMessage, _ place: FolderTree.Place, _ isUnknown: Bool,
        _ normalizer: OutlookNormalizer, _ version: UInt64
    ) {
        if listed.isComplete {
            do throws(SyncFailure) {
                changes.append(try normalizer.change(listed.message, id: id, at: place, version: version))
            } catch  where isUnknown {
                toRead.append(id)
            } catch {}  // a gap stays one
        } else if isUnknown, normalizer.isInScope(listed.message, at: place) {
            toRead.append(id)
        }
    }
}
