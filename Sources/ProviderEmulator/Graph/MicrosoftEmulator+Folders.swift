/// Folders, grants and what makes delta forget.
extension MicrosoftEmulator {
    /// Makes a folder.
    ///
    /// - Returns: its id, which stays the same for its life.
    @discardableResult
    public func createFolder(
        _ name: String, in address: String, parent: String = "msgfolderroot", isHidden: Bool = false
    ) throws(EmulatorError) -> String {
        try mutate(address) { mailbox throws(EmulatorError) in
            let key = try mailbox.mailFolder(parent).key
            return mailbox.id(ofFolder: try mailbox.createFolder(name, in: key, isHidden: isHidden))
        }
    }

    /// Gives a folder another display name; well-known ones can be renamed too.
    public func renameFolder(_ folder: String, to name: String, in address: String) throws(EmulatorError) {
        try mutate(address) { mailbox throws(EmulatorError) in
            try mailbox.renameFolder(try mailbox.mailFolder(folder).key, to: name)
        }
    }

    /// Moves a folder with all that is in it.
    public func moveFolder(_ folder: String, to parent: String, in address: String) throws(EmulatorError) {
        try mutate(address) { mailbox throws(EmulatorError) in
            try mailbox.moveFolder(try mailbox.mailFolder(folder).key, to: try mailbox.mailFolder(parent).key)
        }
    }

    /// Removes a folder with all that is in it, for good.
    public func deleteFolder(_ folder: String, in address: String) throws(EmulatorError) {
        try mutate(address) { mailbox throws(EmulatorError) in
            try mailbox.deleteFolder(try mailbox.mailFolder(folder).key)
        }
    }

    /// All folders but the root, sorted by path.
    public func folders(of address: String) throws(EmulatorError) -> [OutlookFolderTruth] {
        try box(address).read { mailbox in
            mailbox.folders.values.filter { $0.key != OutlookMailbox.rootKey }.map { folder in
                OutlookFolderTruth(
                    id: mailbox.id(ofFolder: folder.key), parentID: mailbox.id(ofFolder: folder.parent),
                    name: folder.name, path: mailbox.path(of: folder.key), wellKnownName: folder.wellKnownName,
                    isHidden: folder.isHidden, isSearch: folder.isSearch, messages: folder.order.count)
            }.sorted { $0.path < $1.path }
        }
    }

    /// Makes every delta and next link given so far too old (410): of one folder's messages, or of all folders and of
    /// the tree itself.
    public func expireDelta(of address: String, folder: String? = nil) throws(EmulatorError) {
        try mutate(address) { mailbox throws(EmulatorError) in
            var key: Int?
            if let folder { key = try mailbox.mailFolder(folder).key }
            mailbox.expireDelta(folder: key)
        }
    }

    /// Until it is released, delta tells nothing of a folder that happens from now on: so a removal may come rounds
    /// before or after the creation in another folder.
    public func holdDelta(of address: String, folder: String) throws(EmulatorError) {
        try mutate(address) { mailbox throws(EmulatorError) in
            let key = try mailbox.mailFolder(folder).key
            mailbox.folders[key]?.heldAt = mailbox.clock
        }
    }

    /// Ends ``holdDelta(of:folder:)``: the next round tells all.
    public func releaseDelta(of address: String, folder: String) throws(EmulatorError) {
        try mutate(address) { mailbox throws(EmulatorError) in
            let key = try mailbox.mailFolder(folder).key
            mailbox.folders[key]?.heldAt = nil
        }
    }

    /// Gives a client access to a mailbox, as consent would.
    public func grant(_ address: String, scopes: [String] = MicrosoftEmulator.readScopes) throws(EmulatorError)
        -> TokenGrant
    {
        _ = try box(address)
        return tokens.grant(address: address, scopes: scopes)
    }

    /// The user withdraws every grant of a mailbox: refresh answers `invalid_grant`, Graph 401.
    public func revokeGrant(of address: String) {
        tokens.revoke(address: address)
        subscriptions.tell(.subscriptionRemoved, of: address)
    }

    /// Every access token of a mailbox is over at once; refresh tokens go on.
    public func expireAccessTokens(of address: String) { tokens.expireAccessTokens(address: address) }
}
