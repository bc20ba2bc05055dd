"""The calls that can be made, by what they are about; `client.ask` names them all."""
