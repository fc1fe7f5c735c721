// SPDX-License-Identifier: LGPL-2.1-or-later
//! JSON as the library writes it, and what the generated types have in common. A type says what its members are; all that is
//! done with them is here, once and not for each type, so that several hundred of them cost little to compile.
//!
//! What a type reads and writes again is byte for byte what C makes of it: members in the order of their names, reals told from
//! integers, unknown members and unknown texts kept.
//!
//! ```
//! use utm::json::{FromJson, ToJson};
//! use utm::qmp;
//! let text = r#"{"running": true, "status": "running", "new-in-12.0": [1, 2.50]}"#;
//! let status = qmp::StatusInfo::from_json(text)?;
//! assert_eq!(status.status, qmp::RunState::Running);
//! assert!(status.extras.get("new-in-12.0").is_some());
//! assert_eq!(status.to_json()?, r#"{"new-in-12.0":[1,2.5],"running":true,"status":"running"}"#);
//! # Ok::<(), utm::Error>(())
//! ```

use crate::error::{Error, ErrorCode, Result};
use std::cmp::Ordering;
use std::fmt::Write;

/// How deep values may be nested, as in C.
const DEPTH_MAX: u32 = 256;

/// A free-form value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer up to 2^63-1.
    Int(i64),
    /// An integer from 2^63 on.
    Uint(u64),
    /// A number with a fraction or an exponent.
    Real(f64),
    /// A text.
    String(String),
    /// Several values.
    Array(Vec<Value>),
    /// Values with names.
    Object(Object),
}

/// Values with names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    /// Nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value with this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Gives a name a value; the former one is returned.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let name = name.into();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, place)) => Some(std::mem::replace(place, value.into())),
            None => {
                self.0.push((name, value.into()));
                None
            }
        }
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(index).1)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Indices in the order in which members are written.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        order.sort_by(|a, b| compare_names(&self.0[*a].0, &self.0[*b].0));
        order
    }
}

impl Value {
    /// The value of a member of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(object) => object.get(name),
            _ => None,
        }
    }

    /// A text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// An integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Uint(_) => "an integer",
            Self::Real(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "a dictionary",
        }
    }

    /// Of members with the same name the later one counts; and they are sorted.
    fn settle(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::settle).collect()),
            Self::Object(object) => Self::Object(Object(settle(object.0))),
            scalar => scalar,
        }
    }
}

fn settle(members: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let mut settled: Vec<(String, Value)> =
        members.into_iter().rev().map(|(name, value)| (name, value.settle())).collect();
    settled.sort_by(|a, b| compare_names(&a.0, &b.0));
    settled.dedup_by(|later, first| later.0 == first.0);
    settled
}

macro_rules! value_from {
    ($($t:ty => $variant:ident,)*) => {$(
        impl From<$t> for Value {
            fn from(value: $t) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}
value_from!(bool => Bool, i32 => Int, u32 => Int, i64 => Int, f64 => Real, &str => String, String => String, Vec<Value> => Array,
    Object => Object,);

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Uint(value), Self::Int)
    }
}

/// In the order of UTF-16 units, as all of UTM's files are: characters beyond the basic plane come before U+E000.
fn compare_names(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        return a.cmp(b);
    }
    a.encode_utf16().cmp(b.encode_utf16())
}

// --- what does not fit ---

enum Step {
    Name(String),
    Index(usize),
}

/// What is wrong with a value, and where.
#[doc(hidden)]
pub struct Misfit {
    message: String,
    /// From the innermost outwards.
    steps: Vec<Step>,
}

impl Misfit {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), steps: Vec::new() }
    }

    fn wrong(expected: &str, value: &Value) -> Self {
        Self::new(format!("must be {expected}, not {}", value.kind()))
    }

    fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn key_path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Name(name) => {
                    path.push_str(if path.is_empty() || name.is_empty() { "" } else { "." });
                    path.push_str(name);
                }
            }
        }
        path
    }
}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        let path = misfit.key_path();
        Self::at(ErrorCode::QmpMalformed, misfit.message, path)
    }
}

type Fit<T = ()> = std::result::Result<T, Misfit>;

// --- reading ---

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn fail<T>(&self, problem: &str) -> Fit<T> {
        Err(Misfit::new(format!("{problem}, at byte {}", self.at)))
    }

    fn word(&mut self, word: &str, value: Value) -> Fit<Value> {
        if !self.text[self.at..].starts_with(word) {
            return self.fail("not a value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: u32) -> Fit<Value> {
        self.space();
        match self.peek() {
            b'{' | b'[' if depth >= DEPTH_MAX => self.fail("nested too deeply"),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => Ok(Value::String(self.string()?)),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.number(),
        }
    }

    /// After an item: whether there is another one.
    fn goes_on(&mut self, end: u8) -> Fit<bool> {
        self.space();
        match self.peek() {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => self.fail("expected a comma or an end"),
        }
    }

    fn is_empty(&mut self, end: u8) -> bool {
        self.at += 1;
        self.space();
        let is_empty = self.peek() == end;
        self.at += usize::from(is_empty);
        is_empty
    }

    fn array(&mut self, depth: u32) -> Fit<Value> {
        let mut items = Vec::new();
        if !self.is_empty(b']') {
            loop {
                items.push(self.value(depth)?);
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        Ok(Value::Array(items))
    }

    fn object(&mut self, depth: u32) -> Fit<Value> {
        let mut members = Vec::new();
        if !self.is_empty(b'}') {
            loop {
                self.space();
                if self.peek() != b'"' {
                    return self.fail("expected a key");
                }
                let name = self.string()?;
                self.space();
                if self.peek() != b':' {
                    return self.fail("expected a colon");
                }
                self.at += 1;
                members.push((name, self.value(depth)?));
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        Ok(Value::Object(Object(members)))
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn code_point(&mut self) -> Option<char> {
        let unit = self.hex4()?;
        if !(0xd800..0xe000).contains(&unit) {
            return char::from_u32(unit);
        }
        if unit >= 0xdc00 || !self.text[self.at..].starts_with("\\u") {
            return None;
        }
        self.at += 2;
        let low = self.hex4().filter(|low| (0xdc00..0xe000).contains(low))?;
        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
    }

    fn string(&mut self) -> Fit<String> {
        let mut made = String::new();
        self.at += 1;
        loop {
            let run = self.text[self.at..].bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            made.push_str(&self.text[self.at..self.at + run]);
            self.at += run;
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(made);
                }
                b'\\' => {
                    self.at += 1;
                    made.push(self.escape()?);
                }
                _ => return self.fail("a control character in a string, or its end is missing"),
            }
        }
    }

    fn escape(&mut self) -> Fit<char> {
        let byte = self.peek();
        self.at += 1;
        let known = match byte {
            b'"' | b'\\' | b'/' => Some(char::from(byte)),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{c}'),
            b'n' => Some('\n'),
            b'r' => Some('\r'),
            b't' => Some('\t'),
            b'u' => self.code_point(),
            _ => None,
        };
        match known {
            Some('\0') => self.fail("a string with U+0000"),
            Some(known) => Ok(known),
            None => self.fail("a bad escape in a string"),
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.text[self.at..].bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Fit<Value> {
        let start = self.at;
        self.at += usize::from(self.peek() == b'-');
        let leading_zero = self.peek() == b'0';
        let count = self.digits();
        if count == 0 || (leading_zero && count > 1) {
            return self.fail("not a value");
        }
        let mut is_real = false;
        if self.peek() == b'.' {
            self.at += 1;
            is_real = true;
            if self.digits() == 0 {
                return self.fail("not a number");
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            is_real = true;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            if self.digits() == 0 {
                return self.fail("not a number");
            }
        }
        let text = &self.text[start..self.at];
        let value = if is_real {
            text.parse().ok().filter(|real: &f64| real.is_finite()).map(Value::Real)
        } else {
            text.parse().map(Value::Int).or_else(|_| text.parse().map(Value::Uint)).ok()
        };
        value.map_or_else(|| self.fail("a number beyond 64 bits"), Ok)
    }
}

/// As it stands: members in their order, several with one name, too.
fn parse(text: &str) -> Fit<Value> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return parser.fail("something behind the end");
    }
    Ok(value)
}

// --- writing ---

fn put_quoted(out: &mut String, text: &str) -> Fit {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            0 => return Err(Misfit::new("a string with U+0000")),
            byte @ (b'"' | b'\\') => out.extend(['\\', char::from(byte)]),
            8 => out.push_str("\\b"),
            9 => out.push_str("\\t"),
            10 => out.push_str("\\n"),
            12 => out.push_str("\\f"),
            13 => out.push_str("\\r"),
            byte => put(out, format_args!("\\u{byte:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
    Ok(())
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = out.write_fmt(arguments);
}

/// C's `%.*g`.
fn general(real: f64, digits: usize) -> String {
    let scientific = format!("{real:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let strip = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", strip(mantissa), exponent.abs());
    }
    strip(&format!("{real:.*}", (digits as i32 - 1 - exponent) as usize))
}

fn put_real(out: &mut String, real: f64) -> Fit {
    if !real.is_finite() {
        return Err(Misfit::new("is nothing that JSON can say"));
    }
    let text = (15..=17).map(|digits| general(real, digits)).find(|text| text.parse() == Ok(real));
    let text = text.unwrap_or_else(|| general(real, 17));
    out.push_str(&text);
    if !text.contains(['.', 'e']) {
        out.push_str(".0");
    }
    Ok(())
}

fn put_array<'a, T: Field + 'a>(out: &mut String, items: impl Iterator<Item = &'a T>, depth: u32) -> Fit {
    let mut before = '[';
    for (index, item) in items.enumerate() {
        out.push(before);
        before = ',';
        item.write(out, depth).map_err(|misfit| misfit.within(Step::Index(index)))?;
    }
    out.push_str(if before == '[' { "[]" } else { "]" });
    Ok(())
}

fn put_member(out: &mut String, name: &str, value: &dyn Field, depth: u32) -> Fit {
    if !out.ends_with('{') {
        out.push(',');
    }
    put_quoted(out, name)?;
    out.push(':');
    value.write(out, depth).map_err(|misfit| misfit.within(Step::Name(name.into())))
}

// --- what types are made of ---

/// Something that can stand in a member. Implemented by all generated types, and by what they consist of.
#[doc(hidden)]
pub trait Field {
    fn read(&mut self, value: Value, depth: u32) -> Fit;
    fn write(&self, out: &mut String, depth: u32) -> Fit;
    /// Nothing is written.
    fn is_absent(&self) -> bool {
        false
    }
}

/// How a member is read.
#[doc(hidden)]
pub const REQUIRED: u8 = 1;
/// The branch of the union has it, too.
#[doc(hidden)]
pub const MOVED: u8 = 2;
/// Of files: null is as good as absence.
#[doc(hidden)]
pub const NULL_IS_ABSENT: u8 = 4;

/// What a struct consists of. Members come in the order in which they are written.
#[doc(hidden)]
pub trait Record {
    fn members<'a>(&'a self, visit: &mut dyn FnMut(&'static str, &'a dyn Field));
    fn members_mut(&mut self, visit: &mut dyn FnMut(&'static str, &mut dyn Field, u8));
    fn extras(&self) -> Option<&Object>;
    fn extras_mut(&mut self) -> Option<&mut Object>;
    /// Of a union: the branch that the tag chooses.
    fn branch(&self) -> Option<&dyn Record> {
        None
    }
    /// The same, made when it is not there.
    fn branch_mut(&mut self) -> Option<&mut dyn Record> {
        None
    }
    /// Whether the branch came after the union, so that peers may know nothing of it.
    fn is_late(&self) -> bool {
        false
    }
    /// Says that a late branch is not there.
    fn drop_branch(&mut self) {}
}

struct Entry {
    name: String,
    /// `None`: a member has it.
    value: Option<Value>,
    /// A member of the union has it, and one of its branch may.
    is_known: bool,
}

fn read_entries(record: &mut dyn Record, entries: &mut [Entry], depth: u32) -> Fit {
    // Of several the first in the text is told, as somebody would tell who reads from the left.
    let mut first: Option<(usize, Misfit)> = None;
    let mut missing: Option<&'static str> = None;
    record.members_mut(&mut |name, field, flags| {
        let mut found = entries.iter_mut().enumerate().filter(|(_, entry)| entry.name == name && entry.value.is_some());
        let Some((index, entry)) = found.next() else {
            if flags & REQUIRED != 0 && missing.is_none() {
                missing = Some(name);
            }
            return;
        };
        let twice = found.next().map(|(index, _)| (index, Misfit::new("stands twice")));
        let value = if flags & MOVED != 0 { entry.value.clone() } else { entry.value.take() };
        entry.is_known = true;
        let value = value.unwrap_or_default();
        let problem = if flags & NULL_IS_ABSENT != 0 && value == Value::Null {
            if flags & REQUIRED != 0 && missing.is_none() {
                missing = Some(name);
            }
            None
        } else {
            field.read(value, depth).err().map(|misfit| (index, misfit))
        };
        if let Some((index, misfit)) = problem.or(twice) {
            if first.as_ref().is_none_or(|(before, _)| index < *before) {
                first = Some((index, misfit.within(Step::Name(name.into()))));
            }
        }
    });
    if let Some((_, misfit)) = first {
        return Err(misfit);
    }
    missing.map_or(Ok(()), |name| Err(Misfit::new("is missing").within(Step::Name(name.into()))))?;
    if record.branch_mut().is_some() {
        let is_lacking = record.is_late() && !has_any(record.branch_mut(), entries);
        if !is_lacking {
            return record.branch_mut().map_or(Ok(()), |branch| read_entries(branch, entries, depth));
        }
        record.drop_branch();
    }
    let rest = entries.iter_mut().filter(|entry| !entry.is_known);
    let rest: Vec<_> = rest.filter_map(|entry| Some((std::mem::take(&mut entry.name), entry.value.take()?))).collect();
    if let Some(extras) = record.extras_mut().filter(|_| !rest.is_empty()) {
        extras.0 = settle(rest);
    }
    Ok(())
}

fn has_any(branch: Option<&mut dyn Record>, entries: &[Entry]) -> bool {
    let mut has = false;
    if let Some(branch) = branch {
        branch.members_mut(&mut |name, _, _| {
            has |= entries.iter().any(|entry| entry.name == name && entry.value.is_some())
        });
    }
    has
}

#[doc(hidden)]
pub fn read_record(record: &mut dyn Record, value: Value, depth: u32) -> Fit {
    let Value::Object(object) = value else {
        return Err(Misfit::wrong("a dictionary", &value));
    };
    if depth >= DEPTH_MAX {
        return Err(Misfit::new("is nested too deeply"));
    }
    let entry = |(name, value)| Entry { name, value: Some(value), is_known: false };
    let mut entries: Vec<Entry> = object.0.into_iter().map(entry).collect();
    read_entries(record, &mut entries, depth + 1)
}

fn write_members(record: &dyn Record, out: &mut String, depth: u32, above: &[&'static str]) -> Fit {
    let mut members: Vec<(&'static str, &dyn Field)> = Vec::new();
    let mut names: Vec<&'static str> = above.to_vec();
    record.members(&mut |name, field| {
        if !field.is_absent() && !above.contains(&name) {
            members.push((name, field));
            names.push(name);
        }
    });
    let empty = Object::new();
    let extras = record.extras().unwrap_or(&empty);
    let mut order = extras.order().into_iter().peekable();
    for (name, field) in members {
        while let Some(index) = order.next_if(|index| compare_names(&extras.0[*index].0, name).is_lt()) {
            put_member(out, &extras.0[index].0, &extras.0[index].1, depth)?;
        }
        // What a member has the name of is not written beside it.
        while order.next_if(|index| extras.0[*index].0 == name).is_some() {}
        put_member(out, name, field, depth)?;
    }
    for index in order {
        put_member(out, &extras.0[index].0, &extras.0[index].1, depth)?;
    }
    record.branch().map_or(Ok(()), |branch| write_members(branch, out, depth, &names))
}

#[doc(hidden)]
pub fn write_record(record: &dyn Record, out: &mut String, depth: u32) -> Fit {
    if depth >= DEPTH_MAX {
        return Err(Misfit::new("is nested too deeply"));
    }
    out.push('{');
    write_members(record, out, depth + 1, &[])?;
    out.push('}');
    Ok(())
}

impl Field for bool {
    fn read(&mut self, value: Value, _: u32) -> Fit {
        match value {
            Value::Bool(value) => *self = value,
            other => return Err(Misfit::wrong("a boolean", &other)),
        }
        Ok(())
    }

    fn write(&self, out: &mut String, _: u32) -> Fit {
        out.push_str(if *self { "true" } else { "false" });
        Ok(())
    }
}

/// An integer of a width: a real without a fraction counts as one.
fn integer(value: &Value) -> Fit<Option<i128>> {
    match value {
        Value::Int(number) => Ok(Some(i128::from(*number))),
        Value::Uint(number) => Ok(Some(i128::from(*number))),
        Value::Real(real) if real.fract() == 0.0 && real.abs() < 9_223_372_036_854_775_808.0 => Ok(Some(*real as i128)),
        Value::Real(_) => Ok(None),
        other => Err(Misfit::wrong("an integer", other)),
    }
}

macro_rules! integer_field {
    ($($t:ty, $sign:literal;)*) => {$(
        impl Field for $t {
            fn read(&mut self, value: Value, _: u32) -> Fit {
                let number = integer(&value)?.and_then(|number| <$t>::try_from(number).ok());
                *self = number
                    .ok_or_else(|| Misfit::new(concat!("must be an integer of ", stringify!($t), $sign)))?;
                Ok(())
            }

            fn write(&self, out: &mut String, _: u32) -> Fit {
                put(out, format_args!("{self}"));
                Ok(())
            }
        }
    )*};
}
integer_field!(i8, ""; i16, ""; i32, ""; i64, ""; u8, ", without sign"; u16, ", without sign"; u32, ", without sign";
    u64, ", without sign";);

impl Field for f64 {
    fn read(&mut self, value: Value, _: u32) -> Fit {
        *self = match value {
            Value::Real(real) => real,
            Value::Int(number) => number as f64,
            Value::Uint(number) => number as f64,
            other => return Err(Misfit::wrong("a number", &other)),
        };
        Ok(())
    }

    fn write(&self, out: &mut String, _: u32) -> Fit {
        put_real(out, *self)
    }
}

impl Field for String {
    fn read(&mut self, value: Value, _: u32) -> Fit {
        match value {
            Value::String(text) => *self = text,
            other => return Err(Misfit::wrong("a string", &other)),
        }
        Ok(())
    }

    fn write(&self, out: &mut String, _: u32) -> Fit {
        put_quoted(out, self)
    }
}

impl Field for Value {
    fn read(&mut self, value: Value, _: u32) -> Fit {
        *self = value.settle();
        Ok(())
    }

    fn write(&self, out: &mut String, depth: u32) -> Fit {
        if depth > 2 * DEPTH_MAX {
            return Err(Misfit::new("is nested too deeply"));
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => value.write(out, depth)?,
            Self::Int(number) => number.write(out, depth)?,
            Self::Uint(number) => number.write(out, depth)?,
            Self::Real(real) => put_real(out, *real)?,
            Self::String(text) => put_quoted(out, text)?,
            Self::Array(items) => put_array(out, items.iter(), depth + 1)?,
            Self::Object(object) => {
                out.push('{');
                for index in object.order() {
                    put_member(out, &object.0[index].0, &object.0[index].1, depth + 1)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }
}

/// JSON's null, where it is a value of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Null;

impl Field for Null {
    fn read(&mut self, value: Value, _: u32) -> Fit {
        match value {
            Value::Null => Ok(()),
            other => Err(Misfit::wrong("null", &other)),
        }
    }

    fn write(&self, out: &mut String, _: u32) -> Fit {
        out.push_str("null");
        Ok(())
    }
}

impl Field for crate::qmp::Nothing {
    fn read(&mut self, _: Value, _: u32) -> Fit {
        Ok(())
    }

    fn write(&self, out: &mut String, _: u32) -> Fit {
        out.push_str("{}");
        Ok(())
    }
}

impl<T: Field + Default> Field for Option<T> {
    fn read(&mut self, value: Value, depth: u32) -> Fit {
        self.insert(T::default()).read(value, depth)
    }

    fn write(&self, out: &mut String, depth: u32) -> Fit {
        self.as_ref().map_or(Ok(()), |value| value.write(out, depth))
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Field + Default> Field for Vec<T> {
    fn read(&mut self, value: Value, depth: u32) -> Fit {
        let Value::Array(items) = value else {
            return Err(Misfit::wrong("an array", &value));
        };
        for (index, item) in items.into_iter().enumerate() {
            let mut made = T::default();
            made.read(item, depth).map_err(|misfit| misfit.within(Step::Index(index)))?;
            self.push(made);
        }
        Ok(())
    }

    fn write(&self, out: &mut String, depth: u32) -> Fit {
        put_array(out, self.iter(), depth)
    }
}

impl<T: Field> Field for Box<T> {
    fn read(&mut self, value: Value, depth: u32) -> Fit {
        (**self).read(value, depth)
    }

    fn write(&self, out: &mut String, depth: u32) -> Fit {
        (**self).write(out, depth)
    }
}

/// Bytes of a configuration: `{"$data": BASE64}` in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data(pub Vec<u8>);

impl Field for Data {
    fn read(&mut self, value: Value, _: u32) -> Fit {
        let encoded = match &value {
            Value::Object(object) if object.len() == 1 => object.get("$data").and_then(Value::as_str),
            _ => None,
        };
        let encoded = encoded.ok_or_else(|| Misfit::wrong("data", &value))?;
        self.0 = decode_base64(encoded).ok_or_else(|| Misfit::new("is no base64"))?;
        Ok(())
    }

    fn write(&self, out: &mut String, _: u32) -> Fit {
        out.push_str("{\"$data\":\"");
        encode_base64(out, &self.0);
        out.push_str("\"}");
        Ok(())
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode_base64(out: &mut String, data: &[u8]) {
    for chunk in data.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let is_there = index <= chunk.len();
            out.push(if is_there { char::from(BASE64[(bits >> (18 - 6 * index) & 63) as usize]) } else { '=' });
        }
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let (mut made, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=' && !byte.is_ascii_whitespace()) {
        bits = bits << 6 | u32::try_from(BASE64.iter().position(|known| *known == byte)?).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            made.push((bits >> count & 255) as u8);
        }
    }
    Some(made)
}

/// A member whose type changed between releases: as the newest has it, or as older ones send it.
#[derive(Clone, Debug, PartialEq)]
pub enum Versions<N, O> {
    /// As the newest release has it.
    New(N),
    /// As older ones have it, where that is something else.
    Old(O),
}

impl<N: Default, O> Default for Versions<N, O> {
    fn default() -> Self {
        Self::New(N::default())
    }
}

impl<N: Field + Default, O: Field + Default> Field for Versions<N, O> {
    fn read(&mut self, value: Value, depth: u32) -> Fit {
        let mut new = N::default();
        if new.read(value.clone(), depth).is_ok() {
            *self = Self::New(new);
            return Ok(());
        }
        let mut old = O::default();
        old.read(value, depth)?;
        *self = Self::Old(old);
        Ok(())
    }

    fn write(&self, out: &mut String, depth: u32) -> Fit {
        match self {
            Self::New(new) => new.write(out, depth),
            Self::Old(old) => old.write(out, depth),
        }
    }
}

/// What kinds of value a branch of an alternate takes.
#[doc(hidden)]
pub fn takes(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => matches!(value, Value::Null),
        "bool" => matches!(value, Value::Bool(_)),
        "int" | "number" => matches!(value, Value::Int(_) | Value::Uint(_) | Value::Real(_)),
        "str" | "enum" => matches!(value, Value::String(_)),
        "struct" => matches!(value, Value::Object(_)),
        "list" => matches!(value, Value::Array(_)),
        _ => true,
    }
}

#[doc(hidden)]
pub fn other_kind(value: &Value) -> Misfit {
    Misfit::wrong("of another kind", value)
}

#[doc(hidden)]
pub fn take_text(value: Value) -> Fit<String> {
    let mut text = String::new();
    text.read(value, 0)?;
    Ok(text)
}

#[doc(hidden)]
pub fn put_text(text: &str, out: &mut String, _: u32) -> Fit {
    put_quoted(out, text)
}

/// The parts of a struct's implementation that are the same for all.
#[doc(hidden)]
#[macro_export]
macro_rules! __record {
    ($($name:ident)*) => {$(
        impl $crate::json::Field for $name {
            fn read(&mut self, value: $crate::json::Value, depth: u32) -> std::result::Result<(), $crate::json::Misfit> {
                $crate::json::read_record(self, value, depth)
            }

            fn write(&self, out: &mut std::string::String, depth: u32) -> std::result::Result<(), $crate::json::Misfit> {
                $crate::json::write_record(self, out, depth)
            }
        }
    )*};
}

/// `Serialize` and `Deserialize` by way of a [`Value`]. What another serializer writes has the same members in the same order;
/// how it spells numbers and texts is its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __serde {
    ($($name:ident)*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                $crate::json::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                $crate::json::deserialize(deserializer)
            }
        }
    )*};
}

/// Something that becomes JSON: all generated types, lists of them, and free-form values.
pub trait ToJson {
    /// The value as JSON, compact, as it is on the wire.
    fn to_json(&self) -> Result<String>;
}

impl<T: Field> ToJson for T {
    fn to_json(&self) -> Result<String> {
        fn write(field: &dyn Field) -> Result<String> {
            let mut out = String::new();
            field.write(&mut out, 0)?;
            Ok(out)
        }
        write(self)
    }
}

/// Something that JSON becomes: all generated types, lists of them, and free-form values.
pub trait FromJson: Sized {
    /// The value that a text of JSON says. What does not fit is an error with the key path.
    fn from_json(text: &str) -> Result<Self>;
}

impl<T: Field + Default> FromJson for T {
    fn from_json(text: &str) -> Result<Self> {
        fn read(field: &mut dyn Field, text: &str) -> Result<()> {
            Ok(field.read(parse(text)?, 0)?)
        }
        let mut made = T::default();
        read(&mut made, text)?;
        Ok(made)
    }
}

#[cfg(feature = "serde")]
mod with_serde {
    use super::{parse, Field, Object, Value};
    use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
    use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

    impl Serialize for Value {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Null => serializer.serialize_unit(),
                Self::Bool(value) => serializer.serialize_bool(*value),
                Self::Int(number) => serializer.serialize_i64(*number),
                Self::Uint(number) => serializer.serialize_u64(*number),
                Self::Real(real) => serializer.serialize_f64(*real),
                Self::String(text) => serializer.serialize_str(text),
                Self::Array(items) => {
                    let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                    for item in items {
                        sequence.serialize_element(item)?;
                    }
                    sequence.end()
                }
                Self::Object(object) => {
                    let mut map = serializer.serialize_map(Some(object.len()))?;
                    for (name, value) in object.iter() {
                        map.serialize_entry(name, value)?;
                    }
                    map.end()
                }
            }
        }
    }

    struct Values;

    impl<'de> Visitor<'de> for Values {
        type Value = Value;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a value of JSON")
        }

        fn visit_unit<E>(self) -> Result<Value, E> {
            Ok(Value::Null)
        }

        fn visit_none<E>(self) -> Result<Value, E> {
            Ok(Value::Null)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
            Value::deserialize(deserializer)
        }

        fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
            Ok(Value::Bool(value))
        }

        fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
            Ok(Value::Int(value))
        }

        fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
            Ok(Value::from(value))
        }

        fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
            Ok(Value::Real(value))
        }

        fn visit_str<E>(self, value: &str) -> Result<Value, E> {
            Ok(Value::String(value.into()))
        }

        fn visit_string<E>(self, value: String) -> Result<Value, E> {
            Ok(Value::String(value))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = sequence.next_element()? {
                items.push(item);
            }
            Ok(Value::Array(items))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(Value::Object(Object(members)))
        }
    }

    impl<'de> Deserialize<'de> for Value {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Values)
        }
    }

    #[doc(hidden)]
    pub fn serialize<S: Serializer>(field: &dyn Field, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        let tree = field.write(&mut text, 0).and_then(|()| parse(&text));
        match tree {
            Ok(tree) => tree.serialize(serializer),
            Err(misfit) => Err(S::Error::custom(format_args!("{}: {}", misfit.key_path(), misfit.message))),
        }
    }

    #[doc(hidden)]
    pub fn deserialize<'de, D: Deserializer<'de>, T: Field + Default>(deserializer: D) -> Result<T, D::Error> {
        use serde::de::Error;
        let mut made = T::default();
        match made.read(Value::deserialize(deserializer)?, 0) {
            Ok(()) => Ok(made),
            Err(misfit) => Err(D::Error::custom(format_args!("{}: {}", misfit.key_path(), misfit.message))),
        }
    }
}

#[cfg(feature = "serde")]
#[doc(hidden)]
pub use with_serde::{deserialize, serialize};
