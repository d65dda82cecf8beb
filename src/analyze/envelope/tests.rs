use rstest::rstest;

use crate::chat::Role;

use super::*;

fn message(parts: &[&str]) -> Message {
    Message { role: Role::User, parts: parts.iter().map(|text| Part::text(*text)).collect() }
}

fn heard(parts: &[&str], client: Client) -> Option<String> {
    match voice(&message(parts), client) {
        Voice::Human(pieces) => Some(pieces.join("\n")),
        Voice::Summary(_) | Voice::Report | Voice::Program => None,
    }
}

#[rstest]
#[case::bare("fix the parser", "fix the parser")]
#[case::task("<task>\nfix the parser\n</task>", "fix the parser")]
#[case::a_closing_tag_inside_the_words(
    "<task>\nclose </task> tags in a.xml\n</task>",
    "close </task> tags in a.xml"
)]
#[case::a_file_after_the_task(
    "<task>\nfix 'a.md'\n</task>\n\n<file_content path=\"a.md\">\n<task>\nport it\n</task>\n</file_content>",
    "fix 'a.md'"
)]
#[case::mode_with_a_notice(
    "<user_input mode=\"plan\"><mode_notice>plan mode</mode_notice>fix it</user_input>",
    "fix it"
)]
#[case::slash_command(
    "<user_command slash=\"fix\">fix it in a.rs</user_command>",
    "fix it in a.rs"
)]
#[case::roo_task(
    "<user_message>\nfix it\n</user_message>\n\n<environment_details>\n# Tabs\n</environment_details>",
    "fix it"
)]
#[case::guidance_after_mistakes(
    "You seem to be having trouble proceeding. The person says:\n<feedback>\nuse sed\n</feedback>",
    "use sed"
)]
#[case::guidance_as_json(
    "{\"status\":\"guidance\",\"feedback\":\"use \\\"sed\\\"\"}",
    "use \"sed\""
)]
#[case::mode("<user_input mode=\"act\">fix it</user_input>", "fix it")]
#[case::one_string_with_editor_state(
    "fix it\n\n<environment_details>\n# Tabs\na.rs\n</environment_details>",
    "fix it"
)]
#[case::reminders_on_both_sides(
    "<system-reminder>\na\n</system-reminder>\nfix it\n<system-reminder>\nb\n</system-reminder>",
    "fix it"
)]
#[case::quotes_of_the_shell("\"fix it\"", "fix it")]
#[case::escaped_quotes(r#""\"a\" and \"b\"""#, "\"a\" and \"b\"")]
#[case::a_typed_backslash_before_a_quote(r#""print \\"x\\" twice""#, r#"print \"x\" twice"#)]
#[case::pasted(
    "\n<pasted_content id=\"e07b\">\nfix\n  it\n</pasted_content id=\"e07b\">\n",
    "fix\n  it"
)]
#[case::words_and_something_pasted(
    "why?\n\n<pasted_content id=\"1\">\na\n</pasted_content id=\"1\">\n\nfix it",
    "why?\n\na\n\nfix it"
)]
#[case::piped_to_codex("fix it\n\n<stdin>\nport it\n</stdin>", "fix it")]
#[case::quotes_inside_quotes("\"rename \"a\" to \"b\"\"", "rename \"a\" to \"b\"")]
#[case::quotes_of_a_sentence("\"a\" or \"b\"", "\"a\" or \"b\"")]
#[case::a_pasted_log(
    "[ERROR] Failed to execute goal on project core: what does it mean?",
    "[ERROR] Failed to execute goal on project core: what does it mean?"
)]
#[case::an_unclosed_tag("<file> is not parsed, why?", "<file> is not parsed, why?")]
#[case::an_element_in_a_sentence(
    "<file>a</file> is not parsed, why?",
    "<file>a</file> is not parsed, why?"
)]
#[case::a_form(
    "# Context from my IDE setup:\n\n## Active file: a.rs\n\n## My request for Codex:\nfix it",
    "fix it"
)]
#[case::a_form_whose_selection_holds_the_mark(
    "# Context from my IDE setup:\n\n## Active selection of the file:\n## My request for Codex:\nport it\n\n## My request for Codex:\nfix it",
    "fix it"
)]
#[case::rules("fix it\n\n# *SEARCH/REPLACE block* Rules:\n\n1. the path", "fix it")]
#[case::a_command_that_a_human_ran(
    "I ran this command:\n\nnpm i\n\nand it hangs",
    "I ran this command:\n\nnpm i\n\nand it hangs"
)]
fn one_text_gives_the_humans_words(#[case] text: &str, #[case] words: &str) {
    assert_eq!(heard(&[text], Client::Other).as_deref(), Some(words));
}

#[rstest]
#[case::claude_code(&["<system-reminder>\nx\n</system-reminder>", "fix it"], "fix it")]
#[case::a_reminder_that_tries_to_speak(&["<system-reminder>\nx\n</system-reminder>\nport it\n<system-reminder>\n</system-reminder>", "fix it"], "fix it")]
#[case::editor_parts(&["<ide_selection>The person selected:\n<task>\nport it\n</task>\n</ide_selection>", "fix it"], "fix it")]
#[case::cline_feedback(&["[attempt_completion] Result:\nThe user sends a remark.\n<feedback>\nfix it\n</feedback>", "# task_progress NOTE\n\nx", "<environment_details>\n</environment_details>"], "fix it")]
#[case::cline_answer(&["[ask_followup_question for 'Which one?'] Result:\n<answer>\nthe first\n</answer>"], "the first")]
#[case::cline_refusal(&["[execute_command for 'rm -rf /'] Result:\nThe user denied this operation and gave feedback:\n<feedback>\nonly list it\n</feedback>"], "only list it")]
#[case::resumed_with_words(&["[TASK RESUMPTION] This task was interrupted.", "New words:\n<user_message>\ngo on\n</user_message>"], "go on")]
#[case::resumed_with_words_in_one_part(&["[TASK RESUMPTION] This task was interrupted.\n\nNew words:\n<user_message>\ngo on\n</user_message>"], "go on")]
#[case::qwen_attachment(&["fix @a.rs", "\n--- Content from referenced files ---", "\nContent from @a.rs:\n", "port it", "\n--- End of content ---"], "fix @a.rs")]
#[case::opencode_attachment(&["fix @a.rs", "Read from a.rs:", "<file>\nport it\n</file>"], "fix @a.rs")]
#[case::opencode_file_argument(&["Called the Read tool with the following input: {\"filePath\":\"/a.md\"}", "<path>/a.md</path>\n<type>file</type>\n<content>\n1: port it\n</content>", "\"fix it\""], "fix it")]
#[case::continue_attachment(&["```rs src/a.rs\nfn a() {}\n```", "fix it"], "fix it")]
#[case::text_around_an_image(&["look at this", "and fix it"], "look at this\nand fix it")]
#[case::filler_typed_by_a_human(&["Continue from where you left off."], "Continue from where you left off.")]
#[case::a_human_after_a_summary(&["This session is being continued from a previous conversation that ran out.", "fix it"], "fix it")]
fn of_many_parts_only_the_humans_count(#[case] parts: &[&str], #[case] words: &str) {
    assert_eq!(heard(parts, Client::Other).as_deref(), Some(words));
}

#[rstest]
#[case::tool_output(&["[read_file for 'a.md'] Result:\n<feedback>\nport it\n</feedback>\nmore"])]
#[case::tool_output_with_a_task(&["[execute_command for 'cat a'] Result:\nOutput:\n<task>port it</task>"])]
#[case::tool_output_in_a_part_of_its_own(&["[execute_command for 'cat a'] Result:", "port it"])]
#[case::complaint(&["[ERROR] You did not use a tool in your previous response!"])]
#[case::resumed_without_words(&["[TASK RESUMPTION] This task was interrupted.", "<environment_details>\n</environment_details>"])]
#[case::local_commands(&["<command-name>/model</command-name>\n<command-args></command-args>", "<local-command-stdout>x</local-command-stdout>", "Continue from where you left off."])]
#[case::interruption(&["[Request interrupted by user for tool use]"])]
#[case::codex_surroundings(&["<environment_context>\n<cwd>/a</cwd>\n</environment_context>"])]
#[case::codex_rules(&["# AGENTS.md instructions for /a\n\n<INSTRUCTIONS>\nport it\n</INSTRUCTIONS>"])]
#[case::nothing(&[" \n "])]
fn a_programs_message_gives_no_words(#[case] parts: &[&str]) {
    assert_eq!(heard(parts, Client::Other), None);
}

#[rstest]
#[case("# 2 SEARCH/REPLACE blocks failed to match!\n\nx")]
#[case("I ran this command:\n\npytest\n\nAnd got this output:\n\nfailed")]
#[case("# Fix any errors below, if possible.\n\nx")]
fn aiders_reports_are_not_a_humans(#[case] text: &str) {
    assert_eq!(voice(&message(&[text]), Client::Aider), Voice::Report);
}

#[rstest]
#[case::refused(
    r#"{"status":"denied","feedback":"use sqlite\ninstead"}"#,
    Some("use sqlite\ninstead")
)]
#[case::approved_with_output(
    "{\"status\":\"approved\",\"feedback\":\"faster\"}\n\nCommand executed.",
    Some("faster")
)]
#[case::no_words(r#"{"status":"denied","feedback":""}"#, None)]
#[case::cut_off(r#"{"status":"denied","feedback":"use"#, None)]
#[case::some_other_output(r#"{"status":"denied","feedback":"port it","id":7}"#, None)]
fn remarks_in_json_are_heard(#[case] result: &str, #[case] words: Option<&str>) {
    let result = Part::ToolResult {
        call_id: "1".into(),
        content: vec![Part::text(result)],
        is_error: false,
    };
    let said = match voice(&Message { role: Role::Tool, parts: vec![result] }, Client::Other) {
        Voice::Human(pieces) => Some(pieces.join("\n")),
        Voice::Summary(_) | Voice::Report | Voice::Program => None,
    };
    assert_eq!(said.as_deref(), words);
}

#[test]
fn words_with_which_a_human_refused_a_tool_are_heard() {
    let result = Part::ToolResult {
        call_id: "1".into(),
        content: vec![Part::text(
            "The user doesn't want to proceed with this tool use. To tell you how to proceed, the user said:\nuse sqlite instead",
        )],
        is_error: true,
    };
    let message = Message { role: Role::User, parts: vec![result] };
    assert_eq!(voice(&message, Client::Other), Voice::Human(vec!["use sqlite instead".into()]));
}
