//! What clients put around, before and after a human's words: the one table of markers, as data.
//! It knows no messages; `envelope` applies it. Sources: recordings and source code of the named
//! clients. A client that changes its wording is taught here.

/// Where an element of the program's own may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before or after the human's words, or alone.
    Around,
    /// Before the human's words, or alone.
    Before,
    /// Alone in its part only: as a piece of a sentence it may be the human's.
    Alone,
}

/// `<name ...> ... </name>` that no human typed.
pub(super) const ELEMENTS: &[(&str, Place)] = &[
    // Cline 2, Roo, Kilo: editor state; attached files follow the task in the same part.
    ("environment_details", Place::Around),
    ("file_content", Place::Around),
    ("folder_content", Place::Around),
    ("url_content", Place::Around),
    ("workspace_diagnostics", Place::Around),
    ("mode_notice", Place::Before),
    ("explicit_instructions", Place::Around),
    // Claude Code.
    ("system-reminder", Place::Around),
    ("ide_opened_file", Place::Before),
    ("ide_selection", Place::Before),
    ("ide_diagnostics", Place::Before),
    ("local-command-caveat", Place::Before),
    ("local-command-stdout", Place::Before),
    ("local-command-stderr", Place::Before),
    ("command-name", Place::Before),
    ("command-message", Place::Before),
    ("command-args", Place::Before),
    ("bash-input", Place::Before),
    ("bash-stdout", Place::Before),
    ("bash-stderr", Place::Before),
    ("user-memory-input", Place::Before),
    ("user-prompt-submit-hook", Place::Around),
    ("session-start-hook", Place::Around),
    ("task-notification", Place::Before),
    // Codex.
    ("environment_context", Place::Before),
    ("user_instructions", Place::Before),
    ("INSTRUCTIONS", Place::Alone),
    ("turn_aborted", Place::Before),
    ("user_shell_command", Place::Before),
    ("subagent_notification", Place::Before),
    ("skill", Place::Alone),
    ("stdin", Place::Around),
    // Codex, opencode: an attached file as a part of its own.
    ("file", Place::Alone),
    // Qwen, Gemini CLI: the summary that replaces a history.
    ("state_snapshot", Place::Before),
    // Ours.
    ("context_delta", Place::Around),
    // Cursor-like clients.
    ("attached_files", Place::Around),
    ("additional_data", Place::Around),
    ("user_info", Place::Before),
];

/// Elements that show that a local command of the client ran: nothing was asked of a model.
pub(super) const LOCAL_COMMANDS: &[&str] = &["<local-command-", "<command-", "<bash-"];

/// Elements around the human's words, at the start of a part.
pub(super) const SPOKEN: &[&str] =
    &["task", "user_input", "user_command", "user_query", "user_message"];
/// Stands before the words inside such an element (Cline 3).
pub(super) const MODE_NOTICE: &str = "<mode_notice>";

/// Elements around the human's words inside the result of a tool that asks the human.
pub(super) const REPLIES: &[&str] = &["feedback", "answer", "user_message"];

/// Cline's and Roo's tools whose result is what a human said.
pub(super) const ASKING_TOOLS: &[&str] = &[
    "attempt_completion",
    "ask_followup_question",
    "plan_mode_respond",
    "act_mode_respond",
    "new_task",
    "condense",
    "switch_mode",
];

/// First words of Cline's complaint that quotes the human in `<feedback>`.
pub(super) const TROUBLE: &str = "You seem to be having trouble proceeding";

/// How the result of a call that failed begins, in lower case; clients without a mark for errors
/// (OpenAI chat) tell it by words only.
pub(super) const FAILURE_BEGINS: &[&str] = &[
    "error:",
    "error ",
    "[error]",
    "<error",
    "<tool_use_error>",
    "{\"error\"",
    "failed ",
    "failed:",
    "failure",
    "fatal:",
    "traceback (most recent",
    "the tool execution failed",
    "tool execution failed",
    "command failed",
    "unable to ",
    "could not ",
    "cannot ",
];
/// What stands before the exit code of a command, in lower case.
pub(super) const FAILED_EXIT: &[&str] = &[
    "exit code:",
    "exit code ",
    "exited with code ",
    "exit status ",
    "\"exit_code\":",
    "exit_code=",
];
/// A report's line that says that nothing failed (Qwen, Gemini CLI).
pub(super) const NO_ERROR: &str = "error: (none)";

/// How Roo's reports begin that quote the human in JSON.
pub(super) const FEEDBACK: &[&str] = &[
    r#"{"status":"denied","feedback":"#,
    r#"{"status":"approved","feedback":"#,
    r#"{"status":"guidance","feedback":"#,
];

/// Words in the line before `<feedback>` by which another tool's result quotes the human.
pub(super) const REFUSALS: &[&str] = &["feedback", "denied", "refused", "rejected", "declined"];

/// What a part is that begins with a known text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The program's own words.
    Program,
    /// The program complains about the model's answer or reports what became of it.
    Complaint,
    /// An account of the conversation that was cut away.
    Summary,
    /// The task is taken up again; new words may follow inside it.
    Resumption,
    /// Words that a human may type too; the program's only after its own parts.
    Filler,
}

/// First words of the program's own texts; the second text must occur in their beginning too,
/// since humans paste logs.
pub(super) const NOTICES: &[(&str, &str, Notice)] = &[
    // Cline 2, Roo.
    ("[ERROR]", "tool", Notice::Complaint),
    ("[TASK RESUMPTION]", "", Notice::Resumption),
    ("# task_progress", "", Notice::Program),
    // Claude Code.
    ("This session is being continued from a previous conversation", "", Notice::Summary),
    ("[Request interrupted by user", "", Notice::Program),
    ("(no content)", "", Notice::Program),
    ("Caveat: The messages below were generated by the user while", "", Notice::Program),
    ("Continue from where you left off", "", Notice::Filler),
    ("Please continue the conversation from where we left it off", "", Notice::Filler),
    // Codex.
    ("# AGENTS.md instructions", "", Notice::Program),
    ("Another language model started to solve this problem", "", Notice::Summary),
    ("You were originally given instructions from a user over", "", Notice::Summary),
    // Qwen, Gemini CLI: set-up.
    ("This is Qwen Code", "\n", Notice::Program),
    ("This is the Qwen Code", "", Notice::Program),
    ("This is the Gemini CLI", "", Notice::Program),
    // opencode, Kilo: compaction and attachments.
    ("The history of this conversation was compacted", "", Notice::Program),
    ("Continue if you have next steps, or stop and ask", "", Notice::Program),
    ("Use the above summary generated from your last session", "", Notice::Program),
    ("The following tool was executed by the user", "", Notice::Program),
    ("Called the Read tool with the following input", "", Notice::Program),
    ("Called the List tool with the following input", "", Notice::Program),
    ("Attached by the program", ":", Notice::Program),
];

/// First words of aider's own texts: reflections, lint and test output, files, repository map.
pub(super) const AIDER_NOTICES: &[(&str, &str, Notice)] = &[
    ("I ran this command:", "", Notice::Complaint),
    ("# Fix any errors below", "", Notice::Complaint),
    ("# Fix any linting errors below", "", Notice::Complaint),
    ("The LLM did not conform to the edit format", "", Notice::Complaint),
    ("Your answer did not follow the edit format", "", Notice::Complaint),
    ("I have *added these files to the chat*", "", Notice::Program),
    ("Here are summaries of some files", "", Notice::Program),
    ("Here are some READ ONLY files", "", Notice::Program),
    ("I switched to a new code base", "", Notice::Program),
    ("I am not sharing any files that you can edit yet", "", Notice::Program),
    ("I am working with you on code in a git repository", "", Notice::Program),
    ("I committed the changes with git hash", "", Notice::Program),
    ("I didn't see any properly formatted edits", "", Notice::Complaint),
    ("I spoke to you previously about a number of things", "", Notice::Summary),
];

/// Pieces of the first line of aider's report on an edit that did not fit ("# 1 SEARCH/REPLACE
/// block failed to match!"); the number in front varies.
pub(super) const FAILED_EDITS: &[&str] = &["failed to match", "failed to apply"];

/// aider appends its edit format to the human's words; what stands from here on is not theirs.
/// These headings are aider's alone.
pub(super) const APPENDED_RULES: &[&str] = &[
    "# *SEARCH/REPLACE block* Rules:",
    "# *SEARCH/REPLACE blocks* Rules:",
    "To suggest changes to a file you MUST",
];
/// A later line of them that begins like their first.
pub(super) const RULES_GO_ON: &str =
    "To suggest changes to a file you MUST return a *file listing*";
/// Others that only an aider conversation makes certain.
pub(super) const MORE_RULES: &[&str] = &[
    "# File editing rules:",
    "# V4A Diff Format Rules",
    "You are diligent and tireless!",
    "Pay careful attention to the scope of the user's request.",
];
/// The last of aider's rules, also where there is no other: a language's name and a full stop
/// follow.
pub(super) const LANGUAGE_RULE: &str = "Reply in ";

/// The human's words follow this line of a form that begins with [`FORM_HEADS`].
pub(super) const FORM_QUESTION: &str = "## My request for ";
/// First words of forms that an editor fills in (Codex's extension).
pub(super) const FORM_HEADS: &[&str] =
    &["# Context from my IDE setup:", "# Files mentioned by the user"];

/// Lines around attached files as separate parts (Qwen, Gemini CLI).
pub(super) const ATTACHMENT_BEGINS: &[&str] =
    &["--- Content from referenced files", "--- Content from"];
pub(super) const ATTACHMENT_ENDS: &str = "--- End of content";

/// A tool result that quotes a human who refused the call: its first words and the mark after
/// which the quotation stands.
pub(super) const REFUSED_CALLS: &[(&str, &str)] = &[
    ("The user doesn't want to proceed with this tool use", "the user said:\n"),
    ("The user rejected permission to use this specific tool call", "following feedback: "),
];

/// A file that opencode or Kilo attached, as a part of its own: its first words, and what follows
/// the path.
pub(super) const READ_FILE: (&str, &str) = ("<path>", "</path>\n<type>");

/// How the lines begin that Claude Code puts around what was pasted (2.1.332).
pub(super) const PASTE_BEGINS: &str = "<pasted_content id=\"";
pub(super) const PASTE_ENDS: &str = "</pasted_content id=\"";

/// opencode and Kilo begin a shortened history with this question of their own; the answer is the
/// summary, and what the human wants stands under one of these headings of it.
pub(super) const SHORTENED: &str = "What did we do so far?";
pub(super) const SHORTENED_GOALS: &[&str] = &["## Objective", "## Goal"];

/// Words in aider's system prompt or appended rules.
pub(super) const AIDER_SIGNS: &[&str] = &["*SEARCH/REPLACE", "*file listing*"];
/// First words of messages that only aider sends.
pub(super) const AIDER_FILES: &[&str] = &[
    "Here are summaries of some files",
    "I am working with you on code in a git repository",
    "I have *added these files to the chat*",
];

/// Words in aider's own messages that are answered by a canned "Ok".
pub(super) const AIDER_CANNED: &[&str] = &[
    "added these files",
    "git repository",
    "code base",
    "codebase",
    "read only",
    "read-only",
    "READ ONLY",
    "as references",
];
/// The one of them that ends aider's worked examples.
pub(super) const AIDER_BREAK: &[&str] = &["code base", "codebase"];
