;; "url=<https://a.b/c>" is no name of an export
(component (component $c) (export "url=<https://a.b/c>" (component $c)))
