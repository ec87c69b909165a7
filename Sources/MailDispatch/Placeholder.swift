// MailDispatch
