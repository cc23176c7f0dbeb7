//! The simulated window, compiled: which steps a type goes through, what it gives, what it asks for.

use crate::business::Compiled;
use crate::data::broken;
use crate::format::{SimulatorText, StepText};
use crate::path::Source;
use crate::pick::{Condition, Pick};
use crate::template::Template;
use kouan_sdk::Result;
use kouan_sdk::simulator::Script;
use kouan_sdk::{Error, ErrorKind};
use std::collections::BTreeSet;

/// A number that the window gives.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) name: String,
    pub(crate) form: Template,
    pub(crate) types: Vec<String>,
    pub(crate) from_step: Vec<String>,
}

/// The way of some types.
#[derive(Debug)]
pub(crate) struct Flow {
    types: Vec<String>,
    when: Vec<Condition>,
    first: Option<String>,
    usual: Vec<String>,
    pub(crate) refuse: String,
    pub(crate) known: String,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    types: Vec<String>,
    pub(crate) message_type: Option<String>,
    pub(crate) template: String,
    pub(crate) set: Vec<(String, Template)>,
}

/// A reference that must be known.
#[derive(Debug)]
pub(crate) struct Requires {
    pub(crate) types: Vec<String>,
    pub(crate) when: Vec<Condition>,
    pub(crate) pick: Pick,
    pub(crate) known: String,
    pub(crate) of_types: Vec<String>,
    pub(crate) text: Template,
}

/// Keys that are known no more.
#[derive(Debug)]
pub(crate) struct Forgets {
    pub(crate) types: Vec<String>,
    pub(crate) when: Vec<Condition>,
    pub(crate) keys: Vec<String>,
}

/// The window.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) numbers: Vec<Number>,
    pub(crate) changes: Vec<String>,
    flows: Vec<Flow>,
    steps: Vec<Step>,
    pub(crate) requires: Vec<Requires>,
    pub(crate) forgets: Vec<Forgets>,
}

/// What the window does with a message.
#[derive(Debug)]
pub(crate) enum Way<'w> {
    /// It refuses it with this text; empty = the step's own.
    Refuse(String),
    /// It takes it, and these answers follow, each with another text if the scenario wants one.
    Accept(Vec<(&'w Step, Option<String>)>),
}

/// Whether a list of types takes `of`; an empty one takes all.
pub(crate) fn takes(types: &[String], of: &str) -> bool {
    types.is_empty() || types.iter().any(|known| known == of)
}

/// Whether all hold.
pub(crate) fn all_hold(when: &[Condition], source: &dyn Source) -> bool {
    when.iter().all(|condition| condition.holds(source))
}

impl Window {
    /// Compiles it.
    pub(crate) fn read(text: &SimulatorText) -> Result<Self> {
        let number = |(name, text): (&String, &crate::format::NumberText)| {
            Ok(Number {
                name: name.clone(),
                form: Template::read(name, &text.form)?,
                types: text.types.clone(),
                from_step: text.from_step.clone(),
            })
        };
        let flow = |text: &crate::format::FlowText| {
            Ok(Flow {
                types: text.types.clone(),
                when: Condition::read_all(&text.when, None)?,
                first: text.first.clone(),
                usual: text.usual.clone(),
                refuse: text.refuse.clone(),
                known: text.known.clone(),
            })
        };
        let requires = |text: &crate::format::RequiresText| {
            Ok(Requires {
                types: text.types.clone(),
                when: Condition::read_all(&text.when, None)?,
                pick: Pick::read(&text.path, None)?,
                known: text.known.clone(),
                of_types: text.of_types.clone(),
                text: Template::read("requires", &text.text)?,
            })
        };
        let forgets = |text: &crate::format::ForgetsText| {
            let when = Condition::read_all(&text.when, None)?;
            Ok(Forgets { types: text.types.clone(), when, keys: text.keys.clone() })
        };
        Ok(Self {
            numbers: text.numbers.iter().map(number).collect::<Result<_>>()?,
            changes: text.changes.clone(),
            flows: text.flows.iter().map(flow).collect::<Result<_>>()?,
            steps: text.steps.iter().map(step).collect::<Result<_>>()?,
            requires: text.requires.iter().map(requires).collect::<Result<_>>()?,
            forgets: text.forgets.iter().map(forgets).collect::<Result<_>>()?,
        })
    }

    /// The flow of a message; without a document, that of its type.
    pub(crate) fn flow(&self, of: &str, source: Option<&dyn Source>) -> Result<&Flow> {
        let fits = |flow: &&Flow| {
            takes(&flow.types, of) && source.map_or(flow.when.is_empty(), |source| all_hold(&flow.when, source))
        };
        let found = self.flows.iter().find(fits).or_else(|| self.flows.iter().find(|flow| takes(&flow.types, of)));
        found.ok_or_else(|| broken("business.toml", &format!("the simulator has no flow for {of}")))
    }

    /// A type's step of this name.
    pub(crate) fn step(&self, name: &str, of: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name && takes(&step.types, of))
    }

    /// Reads a script: `refuse:<text>` first, or names of steps, each with a text of its own if wanted, and `stop` where
    /// nothing more is to follow. Empty = the usual way.
    pub(crate) fn way(&self, business: &str, of: &str, flow: &Flow, script: &Script) -> Result<Way<'_>> {
        let steps = if script.steps.is_empty() { &flow.usual } else { &script.steps };
        let mut answers = Vec::new();
        if let Some(name) = &flow.first {
            answers.extend(self.step(name, of).map(|step| (step, None)));
        }
        for (at, step) in steps.iter().enumerate() {
            let (word, text) = step.split_once(':').map_or((step.as_str(), None), |(word, text)| (word, Some(text)));
            match word {
                "refuse" if at == 0 => return Ok(Way::Refuse(text.unwrap_or_default().to_owned())),
                "stop" => break,
                name => match self.step(name, of) {
                    Some(step) => answers.push((step, text.map(str::to_owned))),
                    None => return Err(self.unknown(business, of, step)),
                },
            }
        }
        Ok(Way::Accept(answers))
    }

    fn unknown(&self, business: &str, of: &str, step: &str) -> Error {
        let known: BTreeSet<&str> =
            self.steps.iter().filter(|step| takes(&step.types, of)).map(|step| step.name.as_str()).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!(
            "{business}: a scenario has the step {step:?} for {of}; known are {known}, stop, and refuse:<text> as the first"
        );
        Error::new(ErrorKind::Config, "KOUAN-DECLARATIVE-SCRIPT", message)
    }

    /// Refuses names that nothing defines; adds to `places` what steps and numbers give.
    pub(crate) fn names_hold<'w>(&'w self, compiled: &Compiled, places: &mut BTreeSet<&'w str>) -> Result<()> {
        let wrong = |why: String| Err(broken("business.toml", &format!("simulator: {why}")));
        places.extend(self.numbers.iter().map(|number| number.name.as_str()));
        places.extend(self.steps.iter().flat_map(|step| step.set.iter().map(|(name, _)| name.as_str())));
        for of in &compiled.types {
            let id = of.info.id.as_str();
            for flow in self.flows.iter().filter(|flow| takes(&flow.types, id)) {
                let named = flow.first.iter().chain(&flow.usual).chain([&flow.refuse, &flow.known]);
                if let Some(name) = named.filter(|name| *name != "stop").find(|name| self.step(name, id).is_none()) {
                    return wrong(format!("there is no step {name} for {id}"));
                }
            }
            self.flow(id, None)?;
        }
        if let Some(step) = self.steps.iter().find(|step| !compiled.templates.contains_key(&step.template)) {
            return wrong(format!("step {}: there is no template {}", step.name, step.template));
        }
        let is_key = |name: &str| {
            compiled.types.iter().any(|of| of.keys.iter().any(|(known, _)| known == name))
                || self.numbers.iter().any(|number| number.name == name)
        };
        let keys = self.requires.iter().map(|requires| &requires.known).chain(&self.changes);
        if let Some(name) = keys.chain(self.forgets.iter().flat_map(|forgets| &forgets.keys)).find(|name| !is_key(name))
        {
            return wrong(format!("no type has a key {name}"));
        }
        let types = self.numbers.iter().flat_map(|number| &number.types);
        let types = types.chain(self.flows.iter().flat_map(|flow| &flow.types));
        let types = types.chain(self.steps.iter().flat_map(|step| &step.types));
        let types =
            types.chain(self.requires.iter().flat_map(|requires| requires.types.iter().chain(&requires.of_types)));
        let mut types = types.chain(self.forgets.iter().flat_map(|forgets| &forgets.types));
        if let Some(id) = types.find(|id| compiled.type_of(id).is_none()) {
            return wrong(format!("there is no type {id}"));
        }
        let forms = self.numbers.iter().map(|number| &number.form);
        let forms = forms.chain(self.requires.iter().map(|requires| &requires.text));
        let mut forms = forms.chain(self.steps.iter().flat_map(|step| step.set.iter().map(|(_, template)| template)));
        match forms.find_map(|form| form.names().into_iter().find(|place| !places.contains(place)).map(str::to_owned)) {
            Some(place) => wrong(format!("nothing gives {{{place}}}")),
            None => Ok(()),
        }
    }
}

fn step(text: &StepText) -> Result<Step> {
    let set = |(name, value): (&String, &String)| Ok((name.clone(), Template::read(name, value)?));
    Ok(Step {
        name: text.name.clone(),
        types: text.types.clone(),
        message_type: text.message_type.clone(),
        template: text.template.clone(),
        set: text.set.iter().map(set).collect::<Result<_>>()?,
    })
}
