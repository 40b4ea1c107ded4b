//! A gateway that is made anew: its requests as files, and the commands that send them as a script.

use std::path::Path;

use posture::{Inventory, export_gateway};

use crate::terminal::{Failure, say};

/// Writes the export of a gateway.
pub(super) fn write(inventory: &Inventory, id: &str, folder: &Path) -> Result<(), Failure> {
    let gateway = inventory.gateways.iter().find(|it| it.text("/gatewayId") == id);
    let gateway =
        gateway.ok_or_else(|| Failure::new(format!("there is no gateway {id}, or it cannot be read")))?;
    let engine = gateway.text("/policyEngineConfiguration/arn");
    let arn = gateway.text("/gatewayArn");
    // The policies of its engine, and those of others that speak about it.
    let policies: Vec<_> = inventory
        .engines
        .iter()
        .flat_map(|it| it.policies.iter().map(move |policy| (it, policy)))
        .filter(|(it, policy)| {
            let own = !engine.is_empty()
                && it.body.get("policyEngineArn").and_then(|it| it.as_str()) == Some(engine);
            let statement = policy.pointer("/definition/cedar/statement").and_then(|it| it.as_str());
            own || statement.is_some_and(|statement| statement.contains(arn))
        })
        .map(|(_, policy)| policy.clone())
        .collect();
    let export = export_gateway(gateway, &policies);
    let cannot = |what: &Path, error: &std::io::Error| {
        Failure::new(format!("cannot write {}: {error}", what.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    for (name, content) in &export.files {
        let file = folder.join(name);
        std::fs::write(&file, format!("{content:#}\n")).map_err(|error| cannot(&file, &error))?;
    }
    // Deleting is for whoever has looked at the new gateway: those commands are printed, not run.
    let (making, deleting): (Vec<_>, Vec<_>) =
        export.commands.iter().partition(|it| !it.contains(" delete-") && !it.starts_with("# When"));
    let mut script = "#!/bin/sh\nset -e\n".to_owned();
    for command in &making {
        script.push_str(&format!("{command}\n"));
    }
    script.push_str("echo \"The new gateway is $NEW. When its callers use it, delete the old one:\"\n");
    for command in deleting.iter().filter(|it| !it.starts_with('#')) {
        script.push_str(&format!("echo '  {command}'\n"));
    }
    let file = folder.join("recreate.sh");
    std::fs::write(&file, script).map_err(|error| cannot(&file, &error))?;
    say(format!(
        "The gateway {id} is exported to {}: look at the files, then run recreate.sh there.",
        folder.display()
    ))
}
