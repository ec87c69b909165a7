// GmailProvider
