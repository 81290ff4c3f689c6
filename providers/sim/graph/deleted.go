package graph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

func deletedRoutes() []route {
	rs := []route{
		{method: "GET", template: "/directory/deletedItems/{id}", run: getDeleted, options: "select"},
		{method: "POST", template: "/directory/deletedItems/{id}/restore", changing: true, run: restoreDeleted},
		{method: "DELETE", template: "/directory/deletedItems/{id}", changing: true, run: purgeDeleted},
	}
	for _, k := range buriedKinds {
		rs = append(rs, route{method: "GET", template: "/directory/deletedItems/microsoft.graph." + k.kind, need: k.read,
			run: listDeleted(k), options: "select filter top count skiptoken"})
	}
	return rs
}

// buriedKind is one type of deleted object, with the permissions of its own.
type buriedKind struct {
	kind   string
	e      *entity
	read   permissions
	change permissions
	decode func(raw []byte) (any, error)
}

// nobody stands for permissions that no application can be granted in this simulator, or at all.
var nobody = permissions{{"none"}}

var buriedKinds = []*buriedKind{
	{"user", userEntity, readUsersFull, nobody, decodeAs[world.DirectoryUser]},
	{"group", groupEntity, readGroups, nobody, decodeAs[world.Group]},
	{"application", applicationEntity, readApplications, writeApplications, decodeAs[world.Application]},
	{"servicePrincipal", principalEntity, readApplications, writeApplications, decodeAs[world.ServicePrincipal]},
}

func decodeAs[T any](raw []byte) (any, error) {
	o := new(T)
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, fmt.Errorf("deleted object in the world: %w", err)
	}
	return o, nil
}

func kindOf(name string) *buriedKind {
	i := slices.IndexFunc(buriedKinds, func(k *buriedKind) bool { return k.kind == name })
	if i < 0 {
		return nil
	}
	return buriedKinds[i]
}

// deleted finds the restorable object of the path and checks the permission of its type.
func (x *request) deleted(change bool) (*world.DeletedItem, *buriedKind, any, error) {
	d := x.w.DeletedItem(x.t, x.params[0])
	if d == nil {
		return nil, nil, nil, notFound(x.params[0])
	}
	k := kindOf(d.Kind)
	if k == nil {
		return nil, nil, nil, notFound(x.params[0])
	}
	need := k.read
	if change {
		need = k.change
	}
	if !need.grants(x.claims.Roles) {
		return nil, nil, nil, denied()
	}
	o, err := k.decode(d.Object)
	if err != nil {
		return nil, nil, nil, err
	}
	x.buried = map[any]time.Time{o: d.At}
	if change && !slices.Contains(x.claims.Roles, "Application.ReadWrite.All") && !x.owns(o) {
		return nil, nil, nil, denied()
	}
	return d, k, o, nil
}

// owns is the reach of Application.ReadWrite.OwnedBy among deleted objects.
func (x *request) owns(o any) bool {
	switch o := o.(type) {
	case *world.Application:
		return slices.Contains(o.Owners, x.claims.ObjectID)
	case *world.ServicePrincipal:
		if a := x.t.ApplicationByAppID(o.AppID); a != nil {
			return slices.Contains(a.Owners, x.claims.ObjectID)
		}
		return x.deletedHolds(func(a *world.Application) bool {
			return strings.EqualFold(a.AppID, o.AppID) && slices.Contains(a.Owners, x.claims.ObjectID)
		})
	}
	return false
}

func getDeleted(x *request) (*reply, error) {
	_, k, o, err := x.deleted(false)
	if err != nil {
		return nil, err
	}
	return x.one(k.e, o, style{withType: true})
}

func restoreDeleted(x *request) (*reply, error) {
	d, k, o, err := x.deleted(true)
	if err != nil {
		return nil, err
	}
	if err := x.w.Restore(x.t, d); err != nil {
		return nil, badRequest("%v", err)
	}
	x.buried = nil
	return x.one(k.e, o, style{withType: true})
}

func purgeDeleted(x *request) (*reply, error) {
	d, _, _, err := x.deleted(true)
	if err != nil {
		return nil, err
	}
	x.w.Purge(d)
	return noContent()
}

func listDeleted(k *buriedKind) func(*request) (*reply, error) {
	return func(x *request) (*reply, error) {
		var all []any
		x.buried = map[any]time.Time{}
		for _, d := range x.t.Deleted {
			if d.Kind != k.kind || !d.Restorable(x.w.Clock) {
				continue
			}
			o, err := k.decode(d.Object)
			if err != nil {
				return nil, err
			}
			x.buried[o] = d.At
			all = append(all, o)
		}
		src := sortedSlice(k.e, all, func(o any) string { return k.e.id(x, o) })
		return x.list(src, listing{e: k.e, context: "directory/deletedItems"})
	}
}
