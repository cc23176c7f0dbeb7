//! Keys, certificates and envelopes for tests; made anew from fixed numbers, of nobody.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

use kouan_dxp::{DxpMsg, SignatureProfile, Trust, Unsigned, WireId};
use kouan_sdk::Timestamp;
use kouan_sm::{
    CardExtensions, Certificate, DistinguishedName, Issuer, LeafRequest, PrivateKey, issue_leaf, self_signed_ca,
};
use std::process::Command;

/// An issuer and somebody who signs.
pub struct Party {
    pub issuer: Certificate,
    pub certificate: Certificate,
    pub key: PrivateKey,
}

impl Party {
    /// Always the same for one number.
    pub fn new(number: u8) -> Self {
        let name = |unit: &str| DistinguishedName {
            country: "CN".into(),
            organization: "示例".into(),
            unit: unit.into(),
            common_name: format!("{unit} {number}"),
        };
        let (begin, end) = (moment().plus_millis(-86_400_000), moment().plus_millis(86_400_000));
        let issuer_key = PrivateKey::from_scalar(&[number; 32]).unwrap();
        let issuer = self_signed_ca(&name("签发"), &issuer_key, begin, end).unwrap();
        let key = PrivateKey::from_scalar(&[number + 100; 32]).unwrap();
        let request = LeafRequest {
            subject: &name("签名"),
            key: key.public_key(),
            not_before: begin,
            not_after: end,
            card: &CardExtensions::default(),
            encrypts: false,
        };
        let certificate = issue_leaf(Issuer { certificate: &issuer, key: &issuer_key }, &request).unwrap();
        Self { issuer, certificate, key }
    }

    /// Believes the issuer and knows the signer.
    pub fn trust(&self) -> Trust {
        Trust::new(vec![self.issuer.clone(), self.certificate.clone()])
    }

    pub fn seal(&self, message: &DxpMsg<'_>, profile: &SignatureProfile) -> Vec<u8> {
        let unsigned = Unsigned::envelope(message, profile, &self.certificate).unwrap();
        let signature = self.key.sign(&profile.user_id, unsigned.signed_info()).unwrap();
        unsigned.check(signature.as_bytes()).unwrap();
        unsigned.seal(signature.as_bytes()).unwrap()
    }
}

pub fn moment() -> Timestamp {
    Timestamp::parse_local("2026-01-12T09:35:10").unwrap()
}

pub fn message(payload: &[u8]) -> DxpMsg<'_> {
    let id = WireId::new("DXPENT0000000001", moment(), 7).unwrap();
    let mut message = DxpMsg::new(&id, vec!["DXPDSWDEC0000002".into()], moment(), "DECCUS001", payload);
    message.file_name = "发票 & <1>\r\n\"x\".xml".into();
    message.ic_card = "2100000000001".into();
    message.biz_keys = vec![kouan_sdk::business::Key::new("Ret\tType<\"", "a>b & c\rd").into()];
    message
}

/// Whether a tool is here; if it must be and is not, the test fails.
pub fn tool(program: &str, arguments: &[&str]) -> bool {
    let there = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !there {
        assert!(std::env::var("KOUAN_REQUIRE_TOOLS").as_deref() != Ok("1"), "{program} {arguments:?} is required");
        println!("SKIPPED: {program} {arguments:?} does not work here");
    }
    there
}

pub fn interop_tools() -> bool {
    tool("python3", &["-c", "import lxml.etree, ctypes.util; assert ctypes.util.find_library('xml2')"])
        && tool("openssl", &["ecparam", "-name", "SM2"])
}
