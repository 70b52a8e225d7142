//! A push: the publish that tells an app server that a user missed something (XEP-0357, section 7).

use std::sync::Arc;

use minidom::Element;
use rxml::xml_ncname;

use crate::app_server::AppServer;
use crate::device::Content;
use crate::ns;

/// A publish that is to be sent now.
#[derive(Debug, Clone)]
pub struct Push {
    /// The id of the IQ: unique, and not to be guessed.
    pub id: Box<str>,
    /// The bare JID of the user.
    pub user: Arc<str>,
    /// The push identifier of the device.
    pub key: Box<str>,
    /// The app server it goes to.
    pub app_server: AppServer,
    /// The node at the app server.
    pub node: Option<Box<str>>,
    /// The form that goes along.
    pub publish_options: Option<Arc<Element>>,
    /// What it says.
    pub summary: Summary,
    /// Whether one of the messages it stands for mentions the user.
    pub mentioned: bool,
    /// The newest message it stands for; `None` where another module asked for a push without one.
    pub content: Option<Arc<Content>>,
}

/// What a push says: the fields of the summary form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `message-count`: how many messages the user has missed, in all rooms of the service.
    pub message_count: u32,
    /// `last-message-sender`: the occupant JID of who wrote the newest one.
    pub last_message_sender: Option<Box<str>>,
    /// `last-message-body`: its text, or a text in its place.
    pub last_message_body: Option<Box<str>>,
}

impl Push {
    /// The IQ, sent by the service `host` in its own name.
    pub fn stanza(&self, host: &str) -> Element {
        let notification = Element::builder("notification", ns::PUSH).append(self.summary.form()).build();
        let item = Element::builder("item", ns::PUBSUB).append(notification).build();
        let publish = Element::builder("publish", ns::PUBSUB)
            .attr(xml_ncname!("node").into(), self.node.as_deref())
            .append(item)
            .build();
        let mut pubsub = Element::builder("pubsub", ns::PUBSUB).append(publish).build();
        if let Some(form) = &self.publish_options {
            let options =
                Element::builder("publish-options", ns::PUBSUB).append(Element::clone(form)).build();
            pubsub.append_child(options);
        }
        Element::builder("iq", ns::CLIENT)
            .attr(xml_ncname!("type").into(), "set")
            .attr(xml_ncname!("from").into(), host)
            .attr(xml_ncname!("to").into(), self.app_server.as_str())
            .attr(xml_ncname!("id").into(), &*self.id)
            .append(pubsub)
            .build()
    }
}

impl Summary {
    /// The fields in the order of XEP-0357, section 7, without `FORM_TYPE`.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let count = ("message-count", self.message_count.to_string());
        let sender =
            self.last_message_sender.iter().map(|sender| ("last-message-sender", sender.to_string()));
        let body = self.last_message_body.iter().map(|body| ("last-message-body", body.to_string()));
        std::iter::once(count).chain(sender).chain(body)
    }

    /// The form. App servers want `type='submit'` on it and `type='hidden'` on its `FORM_TYPE`.
    fn form(&self) -> Element {
        let form_type = field("FORM_TYPE", ns::PUSH_SUMMARY, Some("hidden"));
        Element::builder("x", ns::DATA_FORMS)
            .attr(xml_ncname!("type").into(), "submit")
            .append(form_type)
            .append_all(self.fields().map(|(var, value)| field(var, &value, None)))
            .build()
    }
}

fn field(var: &str, value: &str, field_type: Option<&str>) -> Element {
    Element::builder("field", ns::DATA_FORMS)
        .attr(xml_ncname!("var").into(), var)
        .attr(xml_ncname!("type").into(), field_type)
        .append(Element::builder("value", ns::DATA_FORMS).append(value.to_owned()).build())
        .build()
}
