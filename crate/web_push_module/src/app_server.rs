//! The app server in Lua's hands.

use mlua::{
    AnyUserData, Error, IntoLuaMulti, Lua, LuaString, MultiValue, Result, Table, UserData, UserDataMethods,
};
use web_push_app_server_core::{
    AppServer, Content, FindError, Found, Keys, Notification, Options, PushServices, SubscribeError,
    Subscription,
};

use super::entropy;

/// `push_library.new_keys`: the keys as they are stored.
///
/// # Errors
///
/// The operating system has no randomness.
pub(crate) fn new_keys(lua: &Lua, _: ()) -> Result<Table> {
    let (vapid, node) = entropy::keys()?.to_text();
    let keys = lua.create_table()?;
    keys.raw_set("vapid", vapid)?;
    keys.raw_set("node", node)?;
    Ok(keys)
}

/// `push_library.open`: an app server; nil and what is wrong where the keys are none.
///
/// # Errors
///
/// The options are not those of the contract.
pub(crate) fn open(lua: &Lua, (keys, options): (Table, Table)) -> Result<MultiValue> {
    let text = |name| keys.get::<Option<String>>(name).map(Option::unwrap_or_default);
    match Keys::from_text(&text("vapid")?, &text("node")?) {
        Ok(keys) => LuaAppServer(AppServer::new(&keys, read_options(&options)?)).into_lua_multi(lua),
        Err(error) => (None::<bool>, error.to_string()).into_lua_multi(lua),
    }
}

fn read_options(options: &Table) -> Result<Options> {
    let services: Vec<String> = options.get("services")?;
    let content: String = options.get("content")?;
    Ok(Options {
        services: PushServices::new(services.iter().map(String::as_str)),
        contact: options.get("contact")?,
        content: Content::from_name(&content).ok_or_else(|| Error::runtime("there is no such content"))?,
        time_to_live: options.get("time_to_live")?,
    })
}

struct LuaAppServer(AppServer);

/// A subscription that may be pushed to, in Lua's hands.
struct LuaFound(Found);

impl UserData for LuaFound {}

impl LuaAppServer {
    fn public_key(_: &Lua, this: &Self, _: ()) -> Result<String> {
        Ok(this.0.public_key().to_owned())
    }

    /// The second and third results are the reason and the text, where there is no node.
    fn answer(
        &self,
        lua: &Lua,
        subscription: std::result::Result<Subscription, SubscribeError>,
    ) -> Result<MultiValue> {
        match subscription.and_then(|subscription| self.0.subscribe(&subscription)) {
            Ok(subscribed) => (subscribed.node, subscribed.secret).into_lua_multi(lua),
            Err(error) => (None::<bool>, error.name(), error.to_string()).into_lua_multi(lua),
        }
    }

    fn subscribe_json(lua: &Lua, this: &Self, json: LuaString) -> Result<MultiValue> {
        this.answer(lua, Subscription::from_json(&json.to_string_lossy()).map_err(SubscribeError::from))
    }

    fn subscribe(
        lua: &Lua,
        this: &Self,
        (endpoint, p256dh, auth): (LuaString, LuaString, LuaString),
    ) -> Result<MultiValue> {
        let [endpoint, p256dh, auth] = [endpoint, p256dh, auth].map(|text| text.to_string_lossy());
        this.answer(lua, Subscription::new(&endpoint, &p256dh, &auth).map_err(SubscribeError::from))
    }

    fn find(lua: &Lua, this: &Self, (node, secret): (LuaString, Option<LuaString>)) -> Result<MultiValue> {
        let secret = secret.map(|secret| secret.to_string_lossy());
        match this.0.find(&node.to_string_lossy(), secret.as_deref()) {
            Ok(found) => {
                let (host, origin, is_anywhere) =
                    (found.host().to_owned(), found.origin(), found.is_anywhere);
                (LuaFound(found), host, origin, is_anywhere).into_lua_multi(lua)
            }
            Err(error) => (None::<bool>, reason(error)).into_lua_multi(lua),
        }
    }

    fn request(
        lua: &Lua,
        this: &mut Self,
        (found, notification, unix_time): (AnyUserData, Table, f64),
    ) -> Result<(String, Table, LuaString)> {
        let found = found.borrow::<LuaFound>()?;
        let notification = read_notification(&notification)?;
        // A time before 1970 is as wrong as any other that the clock could have.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let unix_time = unix_time as u64;
        let request = this
            .0
            .request(&found.0, notification, &entropy::ephemeral()?, unix_time)
            .ok_or_else(|| Error::runtime("the notification cannot be encrypted"))?;
        let headers = lua.create_table()?;
        for (name, value) in request.headers {
            headers.raw_set(name, value)?;
        }
        Ok((request.url, headers, lua.create_string(request.body)?))
    }

    fn forget_authorization(_: &Lua, this: &mut Self, origin: LuaString) -> Result<()> {
        this.0.forget_authorization(&origin.to_string_lossy());
        Ok(())
    }
}

fn reason(error: FindError) -> &'static str {
    match error {
        FindError::NotFound => "not-found",
        FindError::Forbidden => "forbidden",
        FindError::NotAllowed => "not-allowed",
    }
}

fn read_notification(table: &Table) -> Result<Notification> {
    let text =
        |name| Ok::<_, Error>(table.get::<Option<LuaString>>(name)?.map(|text| text.to_string_lossy()));
    Ok(Notification {
        service: text("service")?.unwrap_or_default(),
        count: table.get("count")?,
        room: text("room")?,
        sender: text("sender")?,
        text: text("text")?,
        stanza_id: text("stanza_id")?,
        important: table.get::<Option<bool>>("important")?.unwrap_or_default(),
    })
}

impl UserData for LuaAppServer {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("public_key", Self::public_key);
        methods.add_method("subscribe", Self::subscribe);
        methods.add_method("subscribe_json", Self::subscribe_json);
        methods.add_method("find", Self::find);
        methods.add_method_mut("request", Self::request);
        methods.add_method_mut("forget_authorization", Self::forget_authorization);
    }
}
