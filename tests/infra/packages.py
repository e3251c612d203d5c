"""Packages that deploy quickly: one resource of each kind that matters, and no functions."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from chalice.deploy.packager import LambdaDeploymentPackager

from infra import package

DATA = ("Table", "Blobs", "Key")


def a_package(directory: Path, *, code: str = "x = 1", stage: str = "prod", **changes: Any) -> Path:
    """Write a package with changed resources: None removes a resource, any other value replaces its properties."""
    template = _template(stage)
    for name, properties in changes.items():
        if properties is None:
            del template["Resources"][name]
        else:
            template["Resources"][name]["Properties"] = properties
    directory.mkdir(exist_ok=True)
    (directory / "sam.json").write_text(json.dumps(template))
    with ZipFile(directory / "deployment.zip", "w") as archive:
        archive.writestr("app.py", code)
    return directory


def table(name: str) -> dict[str, Any]:
    """The properties of a table, protected as ours are."""
    return {
        "TableName": {"Fn::Sub": f"${{AWS::StackName}}-{name}"},
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }


def make(directory: Path, stage: str) -> Path:
    """Package a stage without the code."""
    code = directory / "code.zip"
    code.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LambdaDeploymentPackager, "create_deployment_package", lambda *_, **__: str(code))
        package.make(directory / "build", stage)
    return directory / "build"


def _template(stage: str) -> dict[str, Any]:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    policy = {"Version": "2012-10-17", "Statement": []}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {
            "LogDays": {
                "Type": "Number",
                "Default": 90,
                "AllowedValues": [1, 90],
                "ConstraintDescription": "one of the numbers of days that CloudWatch knows",
            }
        },
        "Resources": {
            "RestAPI": {
                "Type": "AWS::Serverless::Api",
                "Properties": {"StageName": stage, "DefinitionBody": {"swagger": "2.0", "info": {}, "paths": {}}},
            },
            "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": {"Ref": "LogDays"}}},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table("core"), **kept},
            "Blobs": {"Type": "AWS::S3::Bucket", "Properties": {}, **kept},
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy}, **kept},
        },
        "Outputs": {"EndpointURL": {"Value": {"Fn::Sub": "https://${RestAPI}.example/"}}},
    }
