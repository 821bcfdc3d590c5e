;; type 0 is not of a resource
(component (type $r (record (field "a" u8))) (type (own $r)))
