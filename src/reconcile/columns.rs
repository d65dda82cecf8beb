//! The exports that are understood, as data: what their columns are called.

/// A form of export. Names are as [`plain`] leaves them; of several the first that is there counts.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) name: &'static str,
    /// The id of the provider that writes it.
    pub(super) provider: Option<&'static str>,
    /// Columns by which it is told from the others; all must be there.
    marks: &'static [&'static str],
    date: &'static [&'static str],
    cost: &'static [&'static str],
    model: &'static [&'static str],
    currency: &'static [&'static str],
}

/// The first that fits counts; the last one fits every table of dates and amounts.
const FORMS: [Form; 4] = [
    Form {
        name: "OpenAI costs",
        provider: Some("openai"),
        marks: &["amount_value", "line_item"],
        date: &["start_time_iso", "start_time"],
        cost: &["amount_value"],
        model: &["line_item"],
        currency: &["amount_currency"],
    },
    Form {
        name: "Anthropic costs",
        provider: Some("anthropic"),
        marks: &["usage_date_utc", "workspace"],
        date: &["usage_date_utc"],
        cost: &["cost_usd"],
        model: &["model", "model_version"],
        currency: &["currency"],
    },
    Form {
        name: "OpenRouter activity",
        provider: Some("openrouter"),
        marks: &["model_permaslug"],
        date: &["created_at", "date"],
        cost: &["cost_total", "usage"],
        model: &["model_permaslug"],
        currency: &[],
    },
    Form {
        name: "a table of costs",
        provider: None,
        marks: &[],
        date: &[
            "date",
            "day",
            "date_utc",
            "usage_date_utc",
            "usage_date",
            "start_time_iso",
            "start_time",
            "created_at",
            "timestamp",
            "time",
        ],
        cost: &[
            "cost_usd",
            "cost",
            "total_cost_usd",
            "total_cost",
            "cost_total",
            "amount_usd",
            "amount_value",
            "amount",
            "spend_usd",
            "spend",
        ],
        model: &["model", "model_id", "model_name", "line_item"],
        currency: &["currency", "amount_currency"],
    },
];

/// Where in a record the things stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) form: &'static Form,
    pub(super) date: usize,
    pub(super) cost: usize,
    pub(super) model: Option<usize>,
    pub(super) currency: Option<usize>,
}

/// What a heading is called whatever its case, blanks and signs: `Cost (USD)` is `cost_usd`.
fn plain(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// Finds the columns by their headings.
///
/// # Errors
/// What is missing, in words.
pub(super) fn find(headings: &[String]) -> Result<Columns, String> {
    let names: Vec<String> = headings.iter().map(|heading| plain(heading)).collect();
    let place = |wanted: &[&str]| {
        wanted.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
    };
    let fits = |form: &&Form| {
        let marked = form.marks.iter().all(|mark| names.iter().any(|name| name == mark));
        marked && place(form.date).is_some() && place(form.cost).is_some()
    };
    let Some(form) = FORMS.iter().find(fits) else {
        return Err(missing(&names, headings, &place));
    };
    let (Some(date), Some(cost)) = (place(form.date), place(form.cost)) else {
        return Err(missing(&names, headings, &place));
    };
    let used = [Some(date), Some(cost), place(form.model), place(form.currency)];
    for index in used.into_iter().flatten() {
        if names.iter().filter(|name| **name == names[index]).count() > 1 {
            return Err(format!("two columns are called `{}`", headings[index].trim()));
        }
    }
    let [_, _, model, currency] = used;
    Ok(Columns { form, date, cost, model, currency })
}

fn missing(
    names: &[String],
    headings: &[String],
    place: &dyn Fn(&[&str]) -> Option<usize>,
) -> String {
    let [.., any] = &FORMS;
    let shown: Vec<&str> = headings.iter().map(|one| one.trim()).take(20).collect();
    let shown = shown.join(", ");
    if place(any.date).is_none() {
        let known = any.date.join(", ");
        return format!("it has no column with a date ({known}); it has: {shown}");
    }
    let tokens = names.iter().any(|name| name.contains("token"));
    let hint = match tokens {
        true => "it counts tokens and names no money; export costs, not usage",
        false => "it has no column with an amount",
    };
    format!("{hint} ({}); it has: {shown}", any.cost.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn headings(line: &str) -> Vec<String> {
        line.split(',').map(str::to_owned).collect()
    }

    #[rstest]
    #[case(
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id",
        "OpenAI costs",
        [2, 4, 6]
    )]
    #[case(
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd",
        "Anthropic costs",
        [0, 7, 1]
    )]
    #[case(
        "generation_id,created_at,cost_total,cost_web_search,tokens_prompt,model_permaslug,provider_name",
        "OpenRouter activity",
        [1, 2, 5]
    )]
    #[case("Date,Model,Cost (USD)", "a table of costs", [0, 2, 1])]
    #[case(" DAY , total-cost ,model id", "a table of costs", [0, 1, 2])]
    fn a_form_is_known_by_its_headings(
        #[case] line: &str,
        #[case] name: &str,
        #[case] places: [usize; 3],
    ) {
        let found = find(&headings(line)).unwrap();
        assert_eq!(found.form.name, name);
        assert_eq!([found.date, found.cost, found.model.unwrap()], places);
    }

    #[rstest]
    #[case("model,cost", "no column with a date")]
    #[case("date,model,input_tokens", "export costs, not usage")]
    #[case("date,model", "no column with an amount")]
    #[case("date,cost,Cost", "two columns are called `cost`")]
    fn what_is_missing_is_said(#[case] line: &str, #[case] expected: &str) {
        let error = find(&headings(line)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
